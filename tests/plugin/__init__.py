"""What users see of the plugin, through inner runs of pytest: one file per behaviour."""
