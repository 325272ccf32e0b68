/** The form that submits an evaluation, filled from what the server has. */
import { checkList, field, numbersIn, oneOrMany, select, wholeNumber } from './controls.js';
import { announce, element, replace } from './elements.js';
import { bytes } from './format.js';
import { problemBox } from './problems.js';
import { SaeRow } from './sae-row.js';
import { call } from './session.js';

function card(title, ...children) {
  return element('section', { class: 'card' }, element('h2', {}, title), ...children);
}

function fields(...children) {
  return element('div', { class: 'fields' }, ...children);
}

function group(legend, node) {
  return element('fieldset', { class: 'wide' }, element('legend', {}, legend), node);
}

/** Controls of everything but the SAEs. */
function controlsFor({ metrics, models, datasets, devices }) {
  const model = select(
    models.map(({ path, family, layers, width }) => ({
      value: path,
      text: `${path} — ${family}, ${layers} × ${width}`,
    })),
  );
  const dataset = select(
    datasets.map(({ path, files, bytes: size }) => ({
      value: path,
      text: `${path} — ${files === 1 ? '' : `${files} files, `}${bytes(size)}`,
    })),
  );
  const any = devices.some(({ name }) => name.startsWith('cuda'))
    ? [{ value: 'cuda', text: 'cuda — whichever GPU is free' }]
    : [];
  const device = select([
    ...any,
    ...devices.map(({ name, description }) => ({ value: name, text: `${name} — ${description}` })),
  ]);
  const sparsity = select([{ value: '', text: 'as in the SAEs' }, 'inferK', 'theta']);
  const sparsityValues = element('input', { placeholder: '8, 16, 32', disabled: true });
  sparsity.addEventListener('change', () => (sparsityValues.disabled = sparsity.value === ''));
  return {
    model,
    dataset,
    textField: element('input', { value: 'text' }),
    maxSamples: wholeNumber(10_000),
    seqLen: wholeNumber(512, { min: 2 }),
    prependBos: select([
      { value: '', text: 'as the SAEs’ files say' },
      { value: 'true', text: 'yes' },
      { value: 'false', text: 'no' },
    ]),
    exclude: select([
      { value: '', text: 'as the SAEs’ files say' },
      { value: 'specials', text: 'leave out' },
      { value: 'none', text: 'count' },
    ]),
    batchSize: wholeNumber(64),
    device,
    dtype: select(['float32', 'bfloat16', 'float16']),
    seed: wholeNumber(42, { min: 0 }),
    sparsity,
    sparsityValues,
    metrics: checkList(metrics.map(({ name }) => name)),
    protocols: checkList(['reference', 'strict']),
  };
}

function requestOf(controls, rows) {
  const { sparsity, sparsityValues } = controls;
  const values = numbersIn(sparsityValues.value);
  return {
    model: controls.model.value,
    dataset: {
      path: controls.dataset.value,
      textField: controls.textField.value,
      maxSamples: controls.maxSamples.valueAsNumber,
      seqLen: controls.seqLen.valueAsNumber,
      ...(controls.prependBos.value === ''
        ? {}
        : { prependBos: controls.prependBos.value === 'true' }),
    },
    saes: rows.map((row) => row.value()),
    metrics: controls.metrics.checked(),
    protocol: controls.protocols.checked(),
    ...(controls.exclude.value === '' ? {} : { exclude: controls.exclude.value }),
    batchSize: controls.batchSize.valueAsNumber,
    device: controls.device.value,
    dtype: controls.dtype.value,
    seed: controls.seed.valueAsNumber,
    ...(sparsity.value === '' || values.length === 0
      ? {}
      : { [sparsity.value]: oneOrMany(values) }),
  };
}

/** The rows of SAEs, one for each, and the button that adds one. */
function saeRows({ kinds, checkpoints, model, changed }) {
  const rows = [];
  const node = element('div');
  function add(path) {
    const row = new SaeRow(
      {
        kinds,
        checkpoints,
        model,
        onRemove: () => {
          rows.splice(rows.indexOf(row), 1);
          row.node.remove();
          rows.forEach((other, index) => other.rename(index));
          changed();
        },
      },
      { index: rows.length, path },
    );
    rows.push(row);
    node.append(row.node);
    return row;
  }
  const button = element(
    'button',
    {
      type: 'button',
      disabled: checkpoints.length === 0,
      onclick: () => {
        add(checkpoints[rows.length % checkpoints.length].path).focus();
        changed();
      },
    },
    'Add an SAE',
  );
  if (checkpoints.length > 0) add(checkpoints[0].path);
  else node.append(element('p', { class: 'soft' }, 'The server’s roots hold no SAE.'));
  return { rows, node, button };
}

export async function showForm({ main, signal }) {
  const [kinds, metrics, checkpoints, models, datasets, devices] = await Promise.all(
    ['kinds', 'metrics', 'checkpoints', 'models', 'datasets', 'devices'].map((list) =>
      call((api) => api[list]({ signal })),
    ),
  );
  const usableModels = models.filter(({ error }) => error === null);
  const controls = controlsFor({ metrics, models: usableModels, datasets, devices });
  const { model } = controls;
  const preview = element('pre', { tabindex: '0' });
  const { rows, node, button } = saeRows({
    kinds,
    checkpoints: checkpoints.filter(({ candidates }) => candidates.length > 0),
    model: () => usableModels.find(({ path }) => path === model.value),
    changed: () => form.dispatchEvent(new Event('input')),
  });
  model.addEventListener('change', () => rows.forEach((row) => row.update()));

  const submit = element('button', { type: 'submit', class: 'primary' }, 'Submit evaluation');
  const form = element('form', {
    class: 'stack',
    novalidate: true,
    onsubmit: (event) => {
      event.preventDefault();
      void send();
    },
    oninput: () => (preview.textContent = JSON.stringify(requestOf(controls, rows), null, 2)),
  });
  const problems = problemBox(form);

  async function send() {
    problems.clear();
    const known = rows.flatMap((row) => row.problems());
    if (known.length > 0) return problems.show({ fields: known });
    submit.disabled = true;
    try {
      const { id } = await call((api) => api.evaluate(requestOf(controls, rows)));
      announce('Submitted');
      location.hash = `#/evaluations/${id}`;
    } catch (error) {
      problems.show(error);
    } finally {
      submit.disabled = false;
    }
  }

  form.append(
    card(
      'Model and text',
      fields(
        field('model', 'Language model', model),
        field('dataset.path', 'Text', controls.dataset),
        field('dataset.textField', 'Field of the text', controls.textField),
        field('dataset.maxSamples', 'Samples, at most', controls.maxSamples),
        field('dataset.seqLen', 'Tokens per sample', controls.seqLen),
        field('dataset.prependBos', 'BOS before each text', controls.prependBos),
        field(
          'exclude',
          'Special tokens under strict',
          controls.exclude,
          'Tokens that are left out are neither measured nor spliced.',
        ),
        field(
          'batchSize',
          'Batch size',
          controls.batchSize,
          'Samples per batch in the averages of the reference protocol.',
        ),
      ),
    ),
    card('SAEs', node, element('p', {}), element('div', { class: 'actions' }, button)),
    card(
      'Measures',
      fields(
        group('Protocols', controls.protocols.node),
        group('Metrics', controls.metrics.node),
        field('inferK', 'Sparsity', controls.sparsity),
        field('theta', 'Values; several make a sweep', controls.sparsityValues),
      ),
    ),
    card(
      'Computation',
      fields(
        field('device', 'Device', controls.device),
        field('dtype', 'dtype of the model', controls.dtype),
        field('seed', 'Seed', controls.seed),
      ),
      element('p', {}),
      element('details', {}, element('summary', {}, 'The request as JSON'), preview),
    ),
    problems.node,
    element(
      'div',
      { class: 'actions' },
      submit,
      element('a', { class: 'button quiet', href: '#/' }, 'Back'),
    ),
  );
  form.dispatchEvent(new Event('input'));
  replace(main, element('h1', {}, 'New evaluation'), form);
}
