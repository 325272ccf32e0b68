/** One latent: its numbers, its twin, a histogram of its activations, its contexts in color. */
import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import { number, whole } from '../format.js';
import { words } from '../language/words.js';
import { useLoaded } from '../shell/loading.js';
import { call } from '../shell/session.js';
import { ContextText } from './context.js';

const height = 80;
const barWidth = 24;

/** Bars of the bins between the first and the last that are not empty. */
function Histogram({ counts, edges }) {
  const { latents } = words();
  const first = counts.findIndex((count) => count > 0);
  if (first < 0) return null;
  const shown = counts.slice(first, counts.findLastIndex((count) => count > 0) + 1);
  const most = Math.max(...shown);
  const width = shown.length * barWidth;
  const name = (bin) => `${number(edges[bin])} – ${number(edges[bin + 1])}`;
  return html`
    <figure class="chart">
      <svg
        class="histogram"
        role="img"
        aria-label=${latents.histogram}
        viewBox=${`0 0 ${width} ${height + 16}`}
        width=${width}
        height=${height + 16}
      >
        ${shown.map((count, bin) => {
          const tall = (count / most) * height;
          return html`
            <g key=${bin}>
              <title>${name(first + bin)}: ${whole(count)}</title>
              <rect
                x=${bin * barWidth + 1}
                y=${height - tall}
                width=${barWidth - 2}
                height=${tall}
              />
              <text x=${bin * barWidth} y=${height + 12}>${number(edges[first + bin], 2)}</text>
            </g>
          `;
        })}
      </svg>
      <figcaption class="soft small">${latents.histogram}</figcaption>
    </figure>
  `;
}

function Context({ context, max }) {
  const { latents } = words();
  const { sample, position, layer, value } = context;
  return html`
    <tr>
      <td>${number(value)}</td>
      <td class="left"><${ContextText} context=${context} max=${max} /></td>
      <td class="soft small">${latents.place(sample, position, layer)}</td>
    </tr>
  `;
}

function Facts({ row }) {
  const { latents } = words();
  const facts = [
    [latents.columns.density[0], number(row.density)],
    [latents.active, whole(row.active)],
    [latents.columns.mean[0], number(row.mean)],
    [latents.columns.max[0], number(row.max)],
    [latents.samples, whole(row.samples)],
    [latents.columns.encoderNorm[0], number(row.encoderNorm)],
    [latents.columns.decoderNorm[0], number(row.decoderNorm)],
    [latents.columns.encoderDecoderCosine[0], number(row.encoderDecoderCosine)],
  ];
  return html`
    <dl class="facts">
      ${facts.map(
        ([name, value]) =>
          html`<div key=${name}>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  `;
}

export function OpenedLatent({ id, sae, latent, onOpen, onClose }) {
  const { latents } = words();
  const heading = useRef(null);
  const { value: found, error } = useLoaded(
    ({ signal }) => call((api) => api.latents(id, { sae, latent, signal })),
    [id, sae, latent],
  );
  const row = found?.latents[0];
  const isThere = row?.latent === latent;
  useEffect(() => {
    if (isThere) heading.current?.focus();
  }, [isThere, latent]);
  if (error !== null) return html`<p class="problem" role="alert">${error.message}</p>`;
  if (!isThere) return html`<p class="soft">${words().loading}</p>`;
  return html`
    <section class="latent" aria-label=${latents.one(sae, latent)}>
      <h3 tabindex="-1" ref=${heading}>${latents.one(sae, latent)}</h3>
      <div class="actions">
        ${
          row.twin !== null &&
          html`<button type="button" onClick=${() => onOpen(row.twin)}>
            ${latents.twin(row.twin, number(row.twinCosine))}
          </button>`
        }
        <button type="button" class="quiet" onClick=${onClose}>${latents.close}</button>
      </div>
      <${Facts} row=${row} />
      <${Histogram} counts=${row.histogram} edges=${found.edges} />
      ${
        row.active === 0
          ? html`<p>${latents.dead}</p>`
          : row.contexts.length > 0 &&
            html`
              <div class="scroll" tabindex="0" role="region" aria-label=${latents.contexts}>
                <table class="contexts">
                  <caption class="visually-hidden">
                    ${latents.contexts}
                  </caption>
                  <thead>
                    <tr>
                      <th scope="col">${latents.value}</th>
                      <th scope="col" class="left">${latents.text}</th>
                      <th scope="col">${latents.where}</th>
                    </tr>
                  </thead>
                  <tbody>
                    ${row.contexts.map(
                      (context, rank) =>
                        html`<${Context} key=${rank} context=${context} max=${row.max} />`,
                    )}
                  </tbody>
                </table>
              </div>
            `
      }
    </section>
  `;
}
