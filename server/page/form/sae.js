/**
 * One SAE of the form. Fields that its file calls for are shown: a required one starts empty, a
 * known one shows the file's value and is sent only if it was changed. The others are folded up.
 */
import { html } from 'htm/preact';
import { useRef } from 'preact/hooks';
import { fileName } from '../format.js';
import { inLanguage, words } from '../language/words.js';
import { Field } from './field.js';
import { saeFields } from './fields.js';
import { choiceOf } from './files.js';
import { isEmpty } from './values.js';

const textOf = (value) => (value === undefined ? '' : [value].flat().join(', '));

/** Whether the text says what the file says anyway. */
const isSame = (text, known) => known !== '' && text.trim() === known;

function summaryOf(texts, choice) {
  const { form } = words();
  const known = (name) =>
    textOf(choice?.fields.find(({ field }) => field === name)?.value ?? undefined);
  const layer = texts.layer ?? known('layer');
  const k = texts.k ?? known('k');
  return [
    texts.label,
    ...[choice?.kind ?? texts.kind].filter((kind) => kind !== texts.label),
    texts.hook ?? (layer && form.layerIs(layer)),
    k && `k = ${k}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

function hintOf(name, finding, choice, kinds, layers) {
  const { form } = words();
  if (name === 'kind') {
    const summary = kinds.find(({ kind }) => kind === choice?.kind)?.summary;
    return summary === undefined ? (finding?.reason ?? null) : inLanguage(summary);
  }
  const range = name === 'layer' && layers ? ` (1 … ${layers})` : '';
  return finding === undefined ? (form.saeHints[name] ?? null) : `${finding.reason}${range}`;
}

/** Where the value of a field comes from. */
function markOf(finding, text) {
  const isGiven = !isEmpty(text) && text.trim() !== textOf(finding?.value);
  if (isGiven) return finding?.state === 'known' ? 'changed' : null;
  if (finding?.state === 'required') return 'asked';
  return finding?.state === 'known' ? 'file' : null;
}

export function Sae({ index, sae, file, context, problems, isOpen, onChange, onRemove }) {
  const { texts, rest } = sae;
  const { form } = words();
  const path = (name) => `saes[${index}].${name}`;
  const failure = file?.error ?? null;
  const known = failure === null ? file : null;
  const choice = choiceOf(known, texts);
  const findings =
    choice?.fields ?? known?.choices[0]?.fields.filter(({ field }) => field === 'kind');
  const findingOf = (name) => findings?.find(({ field }) => field === name);
  const atFirst = useRef(new Set(Object.keys(texts)));
  const isMain = ({ path: name, always }) =>
    always ||
    name === 'checkpoint' ||
    name === 'kind' ||
    findingOf(name) !== undefined ||
    atFirst.current.has(name);
  const set = (name, text, value) => {
    const next = { ...texts };
    if (isEmpty(text) || isSame(text, value)) delete next[name];
    else next[name] = text;
    onChange({ ...sae, texts: next });
  };
  const fileProblem =
    failure !== null
      ? [failure.message]
      : known?.obstacle
        ? [form.cannotBeEvaluated(known.obstacle)]
        : [];

  function control(field) {
    const { path: name } = field;
    const finding = name === 'checkpoint' ? undefined : findingOf(name);
    const value = textOf(finding?.value);
    const options =
      name === 'kind'
        ? (known?.choices.map(({ kind }) => kind) ?? context.suggestions.kinds)
        : name === 'checkpoint'
          ? context.suggestions.checkpoints
          : name === 'prefix' && known?.prefixes.length > 0
            ? known.prefixes
            : finding?.options;
    const isRequired = finding?.state === 'required' && isEmpty(texts[finding.instead]);
    const isKnownKind = name === 'kind' && choice !== null && isEmpty(texts.kind);
    return html`<${Field}
      key=${name}
      field=${field}
      path=${path(name)}
      label=${form.saeLabels[name] ?? name}
      value=${texts[name] ?? (isKnownKind ? choice.kind : value)}
      choices=${options}
      mark=${
        name === 'kind'
          ? isEmpty(texts.kind) && known !== null
            ? known.kindKnown
              ? 'file'
              : known.namedKind
                ? 'named'
                : 'asked'
            : null
          : markOf(finding, texts[name])
      }
      hint=${
        name === 'checkpoint'
          ? known?.d
            ? form.size(known.d, known.m, choice?.groups)
            : null
          : hintOf(name, finding, choice, context.kinds, context.layers)
      }
      placeholder=${name === 'label' ? (choice?.kind ?? '') : undefined}
      required=${
        (name === 'checkpoint' && isEmpty(texts.checkpoints)) || (isRequired && !isKnownKind)
      }
      problems=${[
        ...(name === 'checkpoint' ? fileProblem : []),
        ...(problems.get(path(name)) ?? []).filter((text) => !fileProblem.includes(text)),
      ]}
      onChange=${(text) => set(name, text, isKnownKind ? choice.kind : value)}
    />`;
  }
  const others = saeFields.filter((field) => !isMain(field));
  // Once open, they do not close under the hands of the one who empties a field.
  const areOpen = useRef(false);
  areOpen.current ||= others.some(
    ({ path: name }) => !isEmpty(texts[name]) || problems.has(path(name)),
  );
  return html`
    <details class="sae" open=${isOpen} data-sae=${index}>
      <summary>
        <h3>
          ${form.sae(index + 1)}${
            texts.checkpoint
              ? `: ${fileName(texts.checkpoint)}`
              : (texts.checkpoints ?? '') && `: ${texts.checkpoints}`
          }
        </h3>
        ${' '}<span class="soft small">${summaryOf(texts, choice)}</span>
      </summary>
      <div class="fields">${saeFields.filter(isMain).map(control)}</div>
      ${
        Object.keys(rest).length > 0 &&
        html`<p class="note">${form.alsoGiven} <code>${JSON.stringify(rest)}</code></p>`
      }
      <details class="more" open=${areOpen.current}>
        <summary>${known === null ? form.otherSaeFields : form.moreSaeFields}</summary>
        <div class="fields">${others.map(control)}</div>
      </details>
      <div class="actions">
        <button type="button" class="quiet danger" onClick=${onRemove}>
          ${form.removeSae}<span class="visually-hidden"> ${form.sae(index + 1)}</span>
        </button>
      </div>
    </details>
  `;
}
