/** Numbers of SAEs as tables, one for each protocol, for one run and for several. */
import { html } from 'htm/preact';
import { useState } from 'preact/hooks';
import { bestOf, isNearIdentity } from '../src/report/best.js';
import { number } from '../format.js';
import { inLanguage, words } from '../language/words.js';
import { metricsOf, titleWithArrow, valueOf } from '../metrics.js';
import { Scroller } from '../shell/scroller.js';

function placeOf({ kind, layer, layers, hookPoint, hookOut }) {
  const { results } = words();
  // The hook points of many layers would fill the table.
  const isOne = !(layers?.length > 1);
  if (hookPoint && hookOut && isOne) return `${kind} · ${hookPoint} → ${hookOut}`;
  if (hookPoint && isOne) return `${kind} · ${hookPoint}`;
  if (layer !== undefined) return `${kind} · ${results.layer(layer)}`;
  if (!(layers?.length > 0)) return kind;
  return `${kind} · ${results.layers(layers[0], layers.at(-1))}`;
}

function Cell({ metric, result, isBest }) {
  const value = valueOf(metric, result);
  const { results } = words();
  if (value === null) {
    const note = result.notes?.find(
      (one) => one.metric === metric.id || one.metric === metric.field,
    );
    return html`<td class="soft" title=${inLanguage(note)}>${results.none}</td>`;
  }
  return html`
    <td class=${isBest ? 'best' : undefined} title=${isBest ? results.best : undefined}>
      ${number(value.mean)}
      ${
        value.ci95 &&
        html`<span class="ci">${number(value.ci95[0], 3)} – ${number(value.ci95[1], 3)}</span>`
      }
    </td>
  `;
}

function RowHead({ entry }) {
  const { sae, name, isSuspect } = entry;
  const { results } = words();
  return html`
    <th scope="row">
      ${name}${isSuspect ? html`<sup title=${results.nearIdentity}>†</sup>` : null}
      <div class="soft small">
        ${sae.error === null ? placeOf(sae) : results.failed(sae.error.message)}
        ${sae.kind === 'RandomK' && sae.error === null ? ` · ${results.baseline}` : ''}
      </div>
    </th>
  `;
}

/** Entries in the order that a heading was pressed for; those without a value come last. */
function sorted(entries, metrics, { id, order }) {
  const metric = metrics.find((one) => one.id === id);
  if (metric === undefined) return entries;
  const sign = order === 'asc' ? 1 : -1;
  const read = ({ sae }) => valueOf(metric, sae)?.mean ?? null;
  return entries.toSorted((a, b) => {
    const [x, y] = [read(a), read(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (x - y);
  });
}

function Heading({ metric, order, onSort }) {
  const { unit } = metric;
  return html`
    <th
      scope="col"
      title=${inLanguage(metric.meaning)}
      aria-sort=${{ asc: 'ascending', desc: 'descending' }[order]}
    >
      <button type="button" class="sort" onClick=${onSort}>
        ${titleWithArrow(metric)}
        <span aria-hidden="true">${{ asc: ' ▲', desc: ' ▼' }[order] ?? ''}</span>
      </button>
      ${unit === null ? null : html`<div class="soft small">${words().units[unit] ?? unit}</div>`}
    </th>
  `;
}

function ProtocolTable({ metrics, entries, protocol, caption, marks, order, onSort }) {
  const rows = sorted(entries, metrics, order);
  const best = new Map(
    metrics.map((metric) => [metric.id, marks ? bestOf(rows, metric) : new Set()]),
  );
  const said = protocol === 'strict' ? caption : words().results.plainNumbers;
  const title = `${words().protocols[protocol]}${words().colon}${said}`;
  return html`
    <${Scroller} label=${title}>
      <table class="results">
        <caption>
          <span>${title}</span>
        </caption>
        <thead>
          <tr>
            <th scope="col">${words().results.sae}</th>
            ${metrics.map(
              (metric) => html`
                <${Heading}
                  key=${metric.id}
                  metric=${metric}
                  order=${order.id === metric.id ? order.order : null}
                  onSort=${() => onSort(metric)}
                />
              `,
            )}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (entry, index) => html`
              <tr key=${entry.key}>
                <${RowHead} entry=${entry} />
                ${metrics.map(
                  (metric) => html`
                    <${Cell}
                      key=${metric.id}
                      metric=${metric}
                      result=${entry.sae}
                      isBest=${best.get(metric.id).has(index)}
                    />
                  `,
                )}
              </tr>
            `,
          )}
        </tbody>
      </table>
    <//>
  `;
}

const nothingSaid = { comparisons: [], findings: [] };

/** An entry with what marks it in charts: a dagger for near-identities. */
export function named(entry) {
  const isSuspect = isNearIdentity(entry);
  return { ...entry, isSuspect, key: entry.key ?? entry.name, mark: isSuspect ? '†' : '' };
}

/** The entries of a run, as `bestOf` and the tables take them. */
export function entriesOf(results, run) {
  return results.map((sae) => named({ sae, run: run ?? nothingSaid, name: sae.label }));
}

/** The values of all layers of an SAE replaced together. */
function Replacement({ metrics, entry }) {
  const { results, colon } = words();
  const { sae, name } = entry;
  const values = metrics.flatMap((metric) => {
    const value = valueOf(metric, { strict: sae.replacement });
    return value === null ? [] : [`${metric.title} ${number(value.mean)}`];
  });
  return html`<p>${name}${colon}${results.together}${colon}${values.join(' · ')}</p>`;
}

/**
 * @param marks for each protocol, whether its best values may be marked
 */
export function ResultsTable({ metrics, entries, caption, marks }) {
  const [order, setOrder] = useState({ id: null, order: null });
  const { results } = words();
  const shown = metricsOf(
    metrics,
    entries.map(({ sae }) => sae),
  );
  function onSort({ id, better }) {
    const first = better === 'higher' ? 'desc' : 'asc';
    const second = first === 'asc' ? 'desc' : 'asc';
    const next = order.id !== id ? first : order.order === first ? second : null;
    setOrder(next === null ? { id: null, order: null } : { id, order: next });
  }
  const hasSuspects = entries.some(({ isSuspect }) => isSuspect);
  const marksAny = marks.strict || marks.reference;
  return html`
    <section class="card">
      <h2>${results.title}</h2>
      ${['strict', 'reference'].map((protocol) => {
        const own = shown.filter((metric) => metric.protocol === protocol);
        if (own.length === 0) return null;
        return html`<${ProtocolTable}
          key=${protocol}
          ...${{ metrics: own, entries, protocol, caption, order, onSort }}
          marks=${marks[protocol]}
        />`;
      })}
      ${
        entries.some(({ sae }) => sae.error !== null) && shown.length === 0
          ? entries.map(
              ({ sae }) => html`<p key=${sae.label}>${sae.label}: ${sae.error?.message}</p>`,
            )
          : null
      }
      ${entries
        .filter(({ sae }) => sae.replacement)
        .map(
          (entry) => html` <${Replacement} key=${entry.key} metrics=${metrics} entry=${entry} /> `,
        )}
      ${marksAny && html`<p class="soft small">${results.markRule}</p>`}
      ${hasSuspects && html`<p class="soft small">† ${results.nearIdentity}</p>`}
    </section>
  `;
}
