/** A chart with its legend and a button that saves it. */
import { html } from 'htm/preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { number } from '../format.js';
import { words } from '../language/words.js';
import { downloadSvg } from './download.js';
import { loadPlot } from './library.js';

/** Width of a node, followed. */
function useWidth(node) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(node.current);
    return () => observer.disconnect();
  }, []);
  return width;
}

function Legend({ entries }) {
  return html`
    <ul class="legend">
      ${entries.map(
        ({ name, color }) =>
          html`<li key=${name}><i style=${{ background: color }}></i>${name}</li>`,
      )}
    </ul>
  `;
}

/**
 * @param chart as src/report/charts/chart.ts describes it
 * @param draw draws it instead of the drawing code of reports: `(Plot, chart, options) => svg`
 */
export function Chart({ chart, draw }) {
  const place = useRef(null);
  const [legend, setLegend] = useState([]);
  const [problem, setProblem] = useState(null);
  const width = useWidth(place);
  const data = JSON.stringify(chart);
  useEffect(() => {
    if (width === 0) return undefined;
    let isLeft = false;
    loadPlot().then(
      ({ Plot, drawChart, colorsOf }) => {
        if (isLeft || place.current === null) return;
        const options = {
          width: Math.min(width, 900),
          tip: true,
          format: (value) => number(value),
        };
        place.current.replaceChildren((draw ?? drawChart)(Plot, chart, options));
        setLegend(draw === undefined ? colorsOf(chart).legend : []);
        setProblem(null);
      },
      (error) => isLeft || setProblem(error),
    );
    return () => (isLeft = true);
  }, [data, width]);
  return html`
    <figure class="chart">
      ${problem !== null && html`<p class="problem">${problem.message}</p>`}
      <div class="drawing" ref=${place}></div>
      <${Legend} entries=${legend} />
      <figcaption class="soft small">
        ${chart.description}
        <button
          type="button"
          class="quiet"
          onClick=${() => downloadSvg(place.current.querySelector('svg'), chart.title)}
        >
          ${words().charts.download}<span class="visually-hidden">: ${chart.title}</span>
        </button>
      </figcaption>
    </figure>
  `;
}
