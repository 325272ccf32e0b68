/** What the server has, for suggestions: kinds, metrics, checkpoints, models, texts, devices. */
import { bytes } from '../format.js';
import { inLanguage, words } from '../language/words.js';
import { call } from '../shell/session.js';

const lists = ['kinds', 'metrics', 'models', 'datasets', 'devices'];

/** Lists that are there at once; checkpoints are read file by file, and may take a while. */
export async function loadCatalogue({ signal }) {
  const loaded = await Promise.all(lists.map((list) => call((api) => api[list]({ signal }))));
  return Object.fromEntries(lists.map((list, index) => [list, loaded[index]]));
}

export const loadCheckpoints = ({ signal }) => call((api) => api.checkpoints({ signal }));

/** What a checkpoint is, in one line. */
export function factsOf({ d, m, choices, namedKind, kindKnown, obstacle }) {
  if (obstacle) return obstacle;
  const choice = choices.find(({ kind }) => kind === namedKind) ?? choices[0];
  if (choice === undefined) return '';
  const { form } = words();
  const layer = choice.layer ?? choice.layers?.join(', ') ?? null;
  return [
    kindKnown || namedKind ? choice.kind : form.kindOpen,
    layer === null ? null : form.layerIs(layer),
    choice.k === null ? null : `k = ${choice.k}`,
    d === null ? null : `${d} → ${m}`,
  ]
    .filter((text) => text !== null)
    .join(', ');
}

/** Suggestions for the fields that have some, by the name in form/fields.js. */
export function suggestionsOf({ kinds, metrics, checkpoints, models, datasets, devices }) {
  const { form } = words();
  const anyGpu = devices.some(({ name }) => name.startsWith('cuda:'))
    ? [{ value: 'cuda', text: form.anyGpu }]
    : [];
  return {
    kinds: kinds.map(({ kind }) => kind),
    metrics: metrics.map(({ name, fields }) => ({
      value: name,
      text:
        inLanguage((fields.find(({ protocol }) => protocol === 'strict') ?? fields[0])?.name) ||
        name,
    })),
    checkpoints: checkpoints
      .filter(({ candidates }) => candidates.length > 0)
      .map((entry) => ({ value: entry.path, text: factsOf(entry) })),
    models: models
      .filter(({ error }) => error === null)
      .map(({ path, family, layers, width }) => ({
        value: path,
        text: `${family}, ${layers} × ${width}`,
      })),
    datasets: datasets.map(({ path, files, bytes: size }) => ({
      value: path,
      text: `${form.files(files)}, ${bytes(size)}`,
    })),
    devices: [
      ...anyGpu,
      ...devices.map(({ name, description }) => ({ value: name, text: description })),
    ],
  };
}
