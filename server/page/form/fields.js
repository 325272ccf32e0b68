/**
 * Every field of a request: how its control looks and how its text becomes a value. Labels and
 * hints stand under the same paths in language/. A test compares the paths with the schema.
 *
 * Types: `text`; `long` text; `whole` and `real` number; `reals`, `wholes`: one or several numbers;
 * `prefixes`: `groups` or numbers; `bool`; `choice` of `options`; `choices`: several of them;
 * `words`: texts separated by commas; `pairs`: lines `name: value`; `exclude`: a word, ids, JSON;
 * `probes`: lines of paths, or JSON.
 *
 * `more` fields are folded up; `initial` is the server's default, shown as a placeholder.
 */

const dtypes = ['float32', 'bfloat16', 'float16'];

/** Groups of the form's cards, in order. */
export const groups = [
  {
    name: 'text',
    fields: [
      { path: 'model', type: 'text', required: true, suggest: 'models' },
      { path: 'dataset.path', type: 'text', required: true, suggest: 'datasets' },
      { path: 'dataset.maxSamples', type: 'whole', initial: '10000' },
      { path: 'dataset.seqLen', type: 'whole', initial: '512' },
      { path: 'dataset.textField', type: 'text', initial: 'text', more: true },
      { path: 'dataset.tokensField', type: 'text', more: true },
      { path: 'dataset.messagesField', type: 'text', more: true },
      {
        path: 'dataset.roles',
        type: 'choices',
        options: ['system', 'developer', 'user', 'assistant', 'tool'],
        more: true,
      },
      { path: 'dataset.split', type: 'text', more: true },
      {
        path: 'dataset.chunking',
        type: 'choice',
        options: ['words', 'document', 'packed', 'saelens'],
        initial: 'words',
        more: true,
      },
      { path: 'dataset.prependBos', type: 'bool', more: true },
      { path: 'dataset.shuffle', type: 'whole', more: true },
    ],
  },
  { name: 'saes', fields: [] },
  {
    name: 'measures',
    fields: [
      {
        path: 'protocol',
        type: 'choices',
        options: [
          'reference',
          'strict',
          'saelens@6.52',
          'saelens@6.45.2',
          'saelens@6.44',
          'saebench@0.6',
        ],
      },
      { path: 'metrics', type: 'choices', suggest: 'metrics' },
      { path: 'spliceSamples', type: 'whole' },
      { path: 'latents', type: 'whole' },
      { path: 'inferK', type: 'wholes' },
      { path: 'theta', type: 'reals' },
      { path: 'prefixes', type: 'prefixes' },
      { path: 'dictionaries', type: 'bool', more: true },
      { path: 'probes', type: 'probes', more: true },
      { path: 'absorption', type: 'bool', more: true },
      { path: 'exclude', type: 'exclude', more: true },
      { path: 'batchSize', type: 'whole', initial: '64', more: true },
      { path: 'excludeSpecialsFromReconstruction', type: 'bool', more: true },
    ],
  },
  {
    name: 'computation',
    fields: [
      { path: 'device', type: 'text', suggest: 'devices' },
      { path: 'dtype', type: 'choice', options: dtypes, initial: 'float32' },
      { path: 'saeDtype', type: 'choice', options: dtypes, initial: 'float32', more: true },
      { path: 'seed', type: 'whole', initial: '42', more: true },
    ],
  },
  {
    name: 'about',
    fields: [
      { path: 'name', type: 'text' },
      { path: 'tags', type: 'words', suggest: 'tags' },
      { path: 'notes', type: 'long' },
      { path: 'metadata', type: 'pairs', more: true },
      { path: 'shared', type: 'bool', more: true },
    ],
  },
];

export const requestFields = groups.flatMap(({ fields }) => fields);

/** Fields of one SAE. Those that its file calls for are shown, the others are folded up. */
export const saeFields = [
  { path: 'checkpoint', type: 'text', required: true, suggest: 'checkpoints' },
  { path: 'checkpoints', type: 'text' },
  { path: 'kind', type: 'choice', suggest: 'kinds' },
  { path: 'layer', type: 'whole' },
  { path: 'hook', type: 'text' },
  { path: 'hookOut', type: 'text' },
  { path: 'k', type: 'whole' },
  { path: 'scale', type: 'reals' },
  { path: 'centered', type: 'bool' },
  {
    path: 'normalization',
    type: 'choice',
    options: ['none', 'pre', 'layer-norm', 'token-norm'],
  },
  { path: 'preBias', type: 'bool' },
  { path: 'prefix', type: 'text' },
  { path: 'aggregation', type: 'choice', options: ['sum', 'mean'], initial: 'sum' },
  { path: 'routing', type: 'choice', options: ['hard', 'soft'], initial: 'hard' },
  { path: 'exclude', type: 'exclude' },
  { path: 'label', type: 'text', always: true },
];
