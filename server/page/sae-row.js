/** One SAE of the form: its fields depend on what its file can be. */
import { element, replace } from './elements.js';
import { fileName } from './format.js';
import { field, options } from './form.js';

export class SaeRow {
  #known;
  #index;
  #typed = {};

  /**
   * @param known what the server has @param given where the row stands and which file it starts
   *   with
   */
  constructor(known, { index, path }) {
    this.#known = known;
    this.#index = index;
    this.checkpoint = element(
      'select',
      {
        onchange: () => {
          this.#typed = {};
          this.update();
        },
      },
      ...options(
        known.checkpoints.map((item) => ({ value: item.path, text: item.path })),
        path,
      ),
    );
    this.fields = element('div', { class: 'fields' });
    this.title = element('h3');
    this.node = element(
      'fieldset',
      { class: 'sae' },
      element(
        'div',
        { class: 'heading' },
        this.title,
        element(
          'button',
          { type: 'button', class: 'quiet danger', onclick: known.onRemove },
          'Remove',
        ),
      ),
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

  #read() {
    for (const control of this.fields.querySelectorAll('[data-field]'))
      this.#typed[control.dataset.field] = control.value;
  }

  update() {
    this.#read();
    const { checkpoints, kinds, model } = this.#known;
    const file = checkpoints.find(({ path }) => path === this.checkpoint.value);
    const typed = this.#typed;
    const kindName = file.candidates.includes(typed.kind) ? typed.kind : file.candidates[0];
    const kind = kinds.find((item) => item.kind === kindName);
    const layers = model()?.layers;
    const at = (name) => `saes[${this.#index}].${name}`;
    const input = (name, properties) =>
      element('input', { 'data-field': name, value: typed[name] ?? '', ...properties });
    const select = (name, values, chosen) =>
      element(
        'select',
        { 'data-field': name, onchange: () => this.update() },
        ...options(
          values.map((value) => ({ value })),
          chosen,
        ),
      );

    this.title.textContent = `SAE ${this.#index + 1}: ${fileName(file.path)}`;
    replace(
      this.fields,
      field(at('checkpoint'), 'Checkpoint', this.checkpoint, `${file.d} wide, ${file.m} latents`),
      field(at('kind'), 'Kind', select('kind', file.candidates, kindName), kind.summary.en),
      kind.layer === 'routed'
        ? null
        : field(
            at('layer'),
            'Layer',
            input('layer', {
              type: 'number',
              min: 1,
              ...(layers ? { max: layers } : {}),
              value: typed.layer ?? (kind.layer === 'required' && layers ? String(layers) : ''),
            }),
            kind.layer === 'drawn'
              ? 'Drawn by the seed if left out.'
              : layers
                ? `1 … ${layers}`
                : '',
          ),
      kind.hasK
        ? field(
            at('k'),
            'k',
            input('k', {
              type: 'number',
              min: 1,
              max: file.m,
              value: typed.k ?? String(Math.min(16, file.m)),
            }),
            `Active latents, 1 … ${file.m}; the one it was trained with.`,
          )
        : null,
      kind.hasRouting
        ? field(
            at('aggregation'),
            'Aggregation',
            select('aggregation', ['sum', 'mean'], typed.aggregation ?? 'sum'),
          )
        : null,
      kind.hasRouting
        ? field(
            at('routing'),
            'Routing',
            select('routing', ['hard', 'soft'], typed.routing ?? 'hard'),
          )
        : null,
      field(at('label'), 'Label', input('label', { placeholder: kindName })),
    );
  }

  /** The SAE as the request has it. */
  value() {
    this.#typed = {};
    this.#read();
    const { kind, layer, k, aggregation, routing, label } = this.#typed;
    return {
      checkpoint: this.checkpoint.value,
      kind,
      ...(layer ? { layer: Number(layer) } : {}),
      ...(k ? { k: Number(k) } : {}),
      ...(aggregation ? { aggregation } : {}),
      ...(routing ? { routing } : {}),
      ...(label?.trim() ? { label: label.trim() } : {}),
    };
  }
}
