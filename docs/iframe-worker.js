// Browsers refuse workers to a page that was opened from a disk. There, the search runs in a hidden frame instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.body.appendChild(Object.assign(document.createElement("iframe"), { hidden: true }));
      this.inside = frame.contentWindow;
      this.inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      this.loaded = load(frame.contentDocument, url);
      // scripts that the worker asks for come one after another, as in a real one
      this.inside.importScripts = (...urls) =>
        urls.reduce((before, each) => before.then(() => load(frame.contentDocument, each)), Promise.resolve());
    }

    postMessage(data) {
      this.loaded.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
}

function load(page, url) {
  return new Promise((done, failed) =>
    page.body.appendChild(Object.assign(page.createElement("script"), { src: url, onload: done, onerror: failed })),
  );
}
