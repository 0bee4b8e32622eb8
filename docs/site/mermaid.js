// The theme draws diagrams with a global `mermaid`, and would fetch it from a CDN where there is none.
// This one loads the copy beside it, and only on pages that have a diagram.
const copy = new URL("mermaid/index.js", document.currentScript.src).href;
const loaded = () => (window.drawn ??= import(copy).then((module) => module.mermaid));

window.mermaid = {
  settings: {},
  initialize(settings) {
    this.settings = settings;
  },
  async render(id, text) {
    const mermaid = await loaded();
    mermaid.initialize(this.settings);
    return mermaid.render(id, text);
  },
};
