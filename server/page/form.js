/** The form that submits an evaluation, filled from what the server has. */
import { announce, element, replace } from './elements.js';
import { bytes } from './format.js';
import { SaeRow } from './sae-row.js';
import { call } from './session.js';

/** Fields whose values are long. */
const wideFields = /^model$|^dataset\.path$|checkpoint$/;

/** A labelled control; `path` is its field in the request. */
export function field(path, label, control, hint) {
  const id = `field-${path.replaceAll(/\W+/g, '-')}`;
  control.id = id;
  control.dataset.path = path;
  if (hint) control.setAttribute('aria-describedby', `${id}-hint`);
  return element(
    'div',
    { class: wideFields.test(path) ? 'field span' : 'field' },
    element('label', { for: id }, label),
    control,
    hint ? element('p', { class: 'hint', id: `${id}-hint` }, hint) : null,
  );
}

export function options(values, chosen) {
  return values.map(({ value, text = value }) =>
    element('option', { value, selected: value === chosen }, text),
  );
}

function numberInput(value, extra = {}) {
  return element('input', {
    type: 'number',
    inputmode: 'numeric',
    value: String(value),
    min: 1,
    step: 1,
    ...extra,
  });
}

export async function showForm({ main, signal }) {
  const [kinds, metrics, checkpoints, models, datasets, devices] = await Promise.all(
    ['kinds', 'metrics', 'checkpoints', 'models', 'datasets', 'devices'].map((what) =>
      call((api) => api[what]({ signal })),
    ),
  );
  const usable = checkpoints.filter(({ candidates }) => candidates.length > 0);
  const usableModels = models.filter(({ error }) => error === null);

  const model = element(
    'select',
    {},
    ...options(
      usableModels.map((item) => ({
        value: item.path,
        text: `${item.path} — ${item.family}, ${item.layers} × ${item.width}`,
      })),
    ),
  );
  const dataset = element(
    'select',
    {},
    ...options(
      datasets.map((item) => ({
        value: item.path,
        text:
          `${item.path} — ` +
          (item.files === 1 ? bytes(item.bytes) : `${item.files} files, ${bytes(item.bytes)}`),
      })),
    ),
  );
  const textField = element('input', { value: 'text' });
  const maxSamples = numberInput(10_000);
  const seqLen = numberInput(512, { min: 2 });
  const batchSize = numberInput(64);
  const device = element(
    'select',
    {},
    ...options(
      devices.map(({ name, description }) => ({ value: name, text: `${name} — ${description}` })),
      devices.find(({ isDefault }) => isDefault)?.name,
    ),
  );
  const dtype = element(
    'select',
    {},
    ...options(
      ['float32', 'bfloat16', 'float16'].map((value) => ({ value })),
      'float32',
    ),
  );
  const seed = numberInput(42, { min: 0 });
  const sparsity = element(
    'select',
    {},
    ...options(
      [
        { value: '', text: 'as in the SAEs' },
        { value: 'inferK', text: 'inferK' },
        { value: 'theta', text: 'theta' },
      ],
      '',
    ),
  );
  const sparsityValues = element('input', { placeholder: '8, 16, 32', disabled: true });
  sparsity.addEventListener('change', () => (sparsityValues.disabled = sparsity.value === ''));
  const metricChecks = metrics.map(({ name }) =>
    element('input', { type: 'checkbox', value: name, checked: true }),
  );
  const protocolChecks = ['reference', 'strict'].map((name) =>
    element('input', { type: 'checkbox', value: name, checked: true }),
  );
  const checked = (boxes) => boxes.filter((box) => box.checked).map((box) => box.value);
  const checkList = (boxes) =>
    element(
      'div',
      { class: 'checks' },
      ...boxes.map((box) => element('label', { class: 'check' }, box, box.value)),
    );

  const saes = element('div');
  const rows = [];
  const currentModel = () => usableModels.find(({ path }) => path === model.value);
  function addRow(path) {
    const row = new SaeRow(
      {
        kinds,
        checkpoints: usable,
        model: currentModel,
        onRemove: () => {
          rows.splice(rows.indexOf(row), 1);
          row.node.remove();
          rows.forEach((other, index) => other.rename(index));
        },
      },
      { index: rows.length, path },
    );
    rows.push(row);
    saes.append(row.node);
    return row;
  }
  if (usable.length > 0) addRow(usable[0].path);
  model.addEventListener('change', () => rows.forEach((row) => row.update()));

  function request() {
    const values = sparsityValues.value
      .split(',')
      .map((text) => text.trim())
      .filter(Boolean)
      .map(Number);
    return {
      model: model.value,
      dataset: {
        path: dataset.value,
        textField: textField.value,
        maxSamples: maxSamples.valueAsNumber,
        seqLen: seqLen.valueAsNumber,
      },
      saes: rows.map((row) => row.value()),
      metrics: checked(metricChecks),
      protocol: checked(protocolChecks),
      batchSize: batchSize.valueAsNumber,
      device: device.value,
      dtype: dtype.value,
      seed: seed.valueAsNumber,
      ...(sparsity.value === '' || values.length === 0
        ? {}
        : { [sparsity.value]: values.length === 1 ? values[0] : values }),
    };
  }

  const problem = element('div', { class: 'problem', role: 'alert', tabindex: '-1', hidden: true });
  const submit = element('button', { type: 'submit', class: 'primary' }, 'Submit evaluation');
  const preview = element('pre', { tabindex: '0' });
  const form = element('form', {
    novalidate: true,
    onsubmit: (event) => {
      event.preventDefault();
      void send();
    },
    oninput: () => (preview.textContent = JSON.stringify(request(), null, 2)),
  });

  function clearProblems() {
    problem.hidden = true;
    for (const control of form.querySelectorAll('[aria-invalid]'))
      control.removeAttribute('aria-invalid');
    for (const note of form.querySelectorAll('.field-problem')) note.remove();
  }

  function showProblem(error) {
    const fields = error.fields ?? [];
    const elsewhere = fields.filter(({ path, message }) => {
      const control = form.querySelector(`[data-path="${CSS.escape(path)}"]`);
      if (control === null) return true;
      control.setAttribute('aria-invalid', 'true');
      control.closest('.field').append(element('p', { class: 'field-problem' }, message));
      return false;
    });
    problem.hidden = false;
    replace(
      problem,
      element('strong', {}, fields.length > 0 ? 'Please check the marked fields.' : error.message),
      elsewhere.length > 0
        ? element(
            'ul',
            {},
            ...elsewhere.map(({ path, message }) => element('li', {}, `${path}: ${message}`)),
          )
        : null,
    );
    (form.querySelector('[aria-invalid]') ?? problem).focus();
  }

  async function send() {
    clearProblems();
    submit.disabled = true;
    try {
      const { id } = await call((api) => api.evaluate(request()));
      announce('Submitted');
      location.hash = `#/evaluations/${id}`;
    } catch (error) {
      showProblem(error);
    } finally {
      submit.disabled = false;
    }
  }

  form.append(
    element(
      'section',
      { class: 'card' },
      element('h2', {}, 'Model and text'),
      element(
        'div',
        { class: 'fields' },
        field('model', 'Language model', model),
        field('dataset.path', 'Text', dataset),
        field('dataset.textField', 'Field of the text', textField),
        field('dataset.maxSamples', 'Samples, at most', maxSamples),
        field('dataset.seqLen', 'Tokens per sample', seqLen),
        field('batchSize', 'Batch size', batchSize, "Defines the reference protocol's averages."),
      ),
    ),
    element(
      'section',
      { class: 'card' },
      element('h2', {}, 'SAEs'),
      usable.length === 0
        ? element('p', { class: 'soft' }, 'No SAE checkpoint lies under the server’s roots.')
        : saes,
      element('p', {}),
      element(
        'div',
        { class: 'actions' },
        element(
          'button',
          {
            type: 'button',
            onclick: () => {
              addRow(usable[rows.length % usable.length]?.path).focus();
              form.dispatchEvent(new Event('input'));
            },
            disabled: usable.length === 0,
          },
          'Add an SAE',
        ),
      ),
    ),
    element(
      'section',
      { class: 'card' },
      element('h2', {}, 'What to measure'),
      element(
        'div',
        { class: 'fields' },
        element(
          'fieldset',
          { class: 'wide' },
          element('legend', {}, 'Protocols'),
          checkList(protocolChecks),
        ),
        element(
          'fieldset',
          { class: 'wide' },
          element('legend', {}, 'Metrics'),
          checkList(metricChecks),
        ),
        field('inferK', 'Sparsity', sparsity),
        field('theta', 'Values; several make a sweep', sparsityValues),
      ),
    ),
    element(
      'section',
      { class: 'card' },
      element('h2', {}, 'Where and how'),
      element(
        'div',
        { class: 'fields' },
        field('device', 'Device', device),
        field('dtype', 'dtype of the model', dtype),
        field('seed', 'Seed', seed),
      ),
      element('p', {}),
      element('details', {}, element('summary', {}, 'The request as JSON'), preview),
    ),
    problem,
    element(
      'div',
      { class: 'actions' },
      submit,
      element('a', { class: 'button quiet', href: '#/' }, 'Back'),
    ),
  );
  form.className = 'stack';
  form.dispatchEvent(new Event('input'));
  replace(main, element('h1', {}, 'New evaluation'), form);
}
