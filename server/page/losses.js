/** What of the data an evaluation leaves out: skipped records by reason, and truncated text. */
import { element } from './elements.js';
import { whole } from './format.js';

function placeOf({ file, unit, number }) {
  return unit === 'file' ? file : `${file}, ${unit} ${number}`;
}

function rowOf({ count, en, first }) {
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, en),
    element('td', {}, whole(count)),
    element(
      'td',
      {},
      placeOf(first),
      element('div', { class: 'soft small' }, element('code', {}, first.excerpt)),
    ),
  );
}

/** Nodes on the losses of an evaluation, or of its run so far; null if nothing is lost. */
export function lossesOf({ result, progress }) {
  const skipped = result?.data.skipped ?? progress?.skipped ?? [];
  const { skippedRecords = 0, records = null } = result?.data ?? {};
  const { truncatedTokens = 0 } = result?.data ?? progress ?? {};
  if (skipped.length === 0 && skippedRecords === 0 && truncatedTokens === 0) return null;
  const lines = [
    ...(skippedRecords === 0
      ? []
      : [
          `${whole(skippedRecords)}${records === null ? '' : ` of ${whole(records)}`} records ` +
            'were skipped; the numbers are of the others.',
        ]),
    ...(truncatedTokens === 0
      ? []
      : [`${whole(truncatedTokens)} tokens were cut off at the sequence length.`]),
  ];
  return [
    element('h2', {}, 'Text that was left out'),
    ...lines.map((line) => element('p', {}, line)),
    skipped.length === 0
      ? null
      : element(
          'div',
          { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Skipped records' },
          element(
            'table',
            { class: 'losses' },
            element(
              'thead',
              {},
              element(
                'tr',
                {},
                ...['Reason', 'Count', 'First example'].map((text) =>
                  element('th', { scope: 'col' }, text),
                ),
              ),
            ),
            element('tbody', {}, ...skipped.map(rowOf)),
          ),
        ),
  ];
}
