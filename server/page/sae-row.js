/**
 * One SAE of the form. Its fields are those that the server says a request may give with the file:
 * a required field starts empty, a known one shows the file's value and is sent only if it was
 * changed.
 */
import { field, numbersIn, oneOrMany, select, wholeNumber } from './controls.js';
import { element, replace } from './elements.js';
import { fileName } from './format.js';

const labels = {
  kind: 'Kind',
  layer: 'Layer',
  hook: 'Hook point',
  k: 'k',
  scale: 'Scale',
  centered: 'Centered',
  normalization: 'Normalization',
  preBias: 'Decoder bias subtracted first',
  prefix: 'Prefix in the file',
  aggregation: 'Aggregation',
  routing: 'Routing',
};
const values = {
  centered: ['true', 'false'],
  preBias: ['true', 'false'],
  aggregation: ['sum', 'mean'],
  routing: ['hard', 'soft'],
};

/** A control's text as the request has it. */
function parsed(name, text) {
  if (name === 'layer' || name === 'k') return Number(text);
  if (name === 'scale') return oneOrMany(numbersIn(text));
  return name === 'centered' || name === 'preBias' ? text === 'true' : text;
}

export class SaeRow {
  #server;
  #index;
  /** Texts that differ from the file's, by field. */
  #edited = {};

  /**
   * @param server `checkpoints`, `kinds`, `model()` and `onRemove` @param place index of the row
   *   and path of the file it starts with
   */
  constructor(server, { index, path }) {
    this.#server = server;
    this.#index = index;
    this.checkpoint = select(
      server.checkpoints.map((item) => item.path),
      {
        chosen: path,
        oninput: () => {
          this.fields.replaceChildren();
          this.#edited = {};
          this.update();
        },
      },
    );
    this.fields = element('div', { class: 'fields' });
    this.title = element('h3');
    const remove = { type: 'button', class: 'quiet danger', onclick: server.onRemove };
    this.node = element(
      'fieldset',
      { class: 'sae' },
      element('div', { class: 'heading' }, this.title, element('button', remove, 'Remove')),
      this.fields,
    );
    this.update();
  }

  focus() {
    this.checkpoint.focus();
  }

  rename(index) {
    this.#index = index;
    this.update();
  }

  get #file() {
    return this.#server.checkpoints.find(({ path }) => path === this.checkpoint.value);
  }

  /** Kind that is evaluated; empty as long as nobody knows. */
  get #kind() {
    const { choices, kindKnown, namedKind } = this.#file;
    return this.#edited.kind ?? (kindKnown ? choices[0].kind : (namedKind ?? ''));
  }

  get #choice() {
    return this.#file.choices.find(({ kind }) => kind === this.#kind);
  }

  #path(name) {
    return `saes[${this.#index}].${name}`;
  }

  #read() {
    for (const control of this.fields.querySelectorAll('[data-field]')) {
      const { field: name, known } = control.dataset;
      if (control.value.trim() === known) delete this.#edited[name];
      else this.#edited[name] = control.value.trim();
    }
  }

  #kindField() {
    const { choices, kindKnown, namedKind } = this.#file;
    const kind = this.#kind;
    const { kinds } = this.#server;
    const { reason } = (this.#choice ?? choices[0]).fields.find((one) => one.field === 'kind');
    const summary = kinds.find((item) => item.kind === kind)?.summary.en;
    const open = kindKnown || namedKind !== null ? [] : [{ value: '', text: 'choose…' }];
    const control = select([...open, ...choices.map((choice) => choice.kind)], {
      chosen: kind,
      required: !kindKnown,
      'data-field': 'kind',
      'data-known': kindKnown ? choices[0].kind : '',
      oninput: () => {
        this.update();
        this.fields.querySelector('[data-field=kind]').focus();
      },
    });
    return field(this.#path('kind'), labels.kind, control, summary ?? reason);
  }

  #field({ field: name, state, value, options = values[name], reason, instead }) {
    const known = value === undefined ? '' : [value].flat().join(', ');
    const text = this.#edited[name] ?? known;
    const properties = {
      required: state === 'required',
      'data-field': name,
      'data-known': known,
      ...(instead === undefined ? {} : { 'data-instead': instead }),
    };
    const limit = { layer: this.#server.model()?.layers, k: this.#file.m }[name];
    const control =
      options !== undefined
        ? select([...(known === '' ? [{ value: '', text: '' }] : []), ...options], {
            ...properties,
            chosen: text,
          })
        : name === 'scale' || name === 'hook'
          ? element('input', { ...properties, value: text })
          : wholeNumber(text, { ...properties, ...(limit ? { max: limit } : {}) });
    const range = name === 'layer' && limit ? ` (1 … ${limit})` : '';
    return field(this.#path(name), labels[name] ?? name, control, reason + range);
  }

  update() {
    this.#read();
    const { path, d, m, obstacle } = this.#file;
    const choice = this.#choice;
    const label = element('input', {
      'data-field': 'label',
      'data-known': '',
      value: this.#edited.label ?? '',
      placeholder: choice?.kind ?? '',
    });
    this.title.textContent = `SAE ${this.#index + 1}: ${fileName(path)}`;
    replace(
      this.fields,
      field(this.#path('checkpoint'), 'Checkpoint', this.checkpoint, `${d} wide, ${m} latents`),
      obstacle === null
        ? null
        : element('p', { class: 'problem wide' }, `Cannot be evaluated: ${obstacle}`),
      this.#kindField(),
      (choice?.fields ?? []).filter((one) => one.field !== 'kind').map((one) => this.#field(one)),
      field(this.#path('label'), 'Label', label),
    );
  }

  /** Problems that are known before the server is asked. */
  problems() {
    const { obstacle } = this.#file;
    if (obstacle !== null)
      return [{ path: this.#path('checkpoint'), message: `cannot be evaluated: ${obstacle}` }];
    const isEmpty = (control) => (control?.value ?? '').trim() === '';
    const alternative = ({ dataset: { instead } }) =>
      instead === undefined ? null : this.fields.querySelector(`[data-field=${instead}]`);
    return [...this.fields.querySelectorAll('[required]')]
      .filter((control) => isEmpty(control) && isEmpty(alternative(control)))
      .map((control) => ({ path: control.dataset.path, message: 'must be given' }));
  }

  /** The SAE as the request has it. */
  value() {
    this.#read();
    const given = Object.entries(this.#edited)
      .filter(([, text]) => text !== '')
      .map(([name, text]) => [name, parsed(name, text)]);
    return { checkpoint: this.checkpoint.value, ...Object.fromEntries(given) };
  }
}
