/** Observable Plot with d3, and the drawing code of the reports: loaded with the first chart. */
import { base } from '../shell/session.js';

let loaded = null;

function script(name) {
  return new Promise((resolve, reject) => {
    const node = document.createElement('script');
    node.src = new URL(`page/library/${name}`, base).href;
    node.onload = resolve;
    node.onerror = () => reject(new Error(`${name} could not be loaded.`));
    document.head.append(node);
  });
}

/** @returns {Promise<{ Plot: object, drawChart: Function, colorsOf: Function }>} */
export function loadPlot() {
  loaded ??= Promise.all([
    script('d3.js').then(() => script('plot.js')),
    import('../src/report/charts/draw.js'),
    import('../src/report/charts/colors.js'),
  ]).then(([, { drawChart }, { colorsOf }]) => ({ Plot: globalThis.Plot, drawChart, colorsOf }));
  loaded.catch(() => (loaded = null));
  return loaded;
}
