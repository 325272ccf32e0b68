/** Adds all SAEs of a folder, each with what its file says. */
import { html } from 'htm/preact';
import { useState } from 'preact/hooks';
import { words } from '../language/words.js';
import { factsOf } from './catalogue.js';
import { newSae } from './draft.js';
import { choiceOf } from './files.js';
import { labelsOf } from './labels.js';

/** Folders below which the server has SAEs. */
function foldersOf(checkpoints) {
  const folders = new Set();
  for (const { path, candidates } of checkpoints) {
    const names = path.split('/').slice(0, -1);
    if (candidates.length > 0)
      names.forEach((_, index) => folders.add(names.slice(0, index + 1).join('/')));
  }
  return [...folders].sort();
}

/** The names of fields that a file leaves open and that can be given for all at once. */
const forAll = ['kind', 'layer', 'k'];

function openFields(file, texts) {
  const choice = choiceOf(file, texts);
  if (choice === null) return ['kind'];
  return choice.fields
    .filter(({ field, state }) => field !== 'kind' && state === 'required')
    .map(({ field }) => field);
}

/** An SAE with the values for all that its own file leaves open. */
function filled(file, values, label) {
  const texts = { checkpoint: file.path, ...(label ? { label } : {}) };
  // The kind comes first: which other fields are open depends on it.
  for (const name of forAll)
    if (openFields(file, texts).includes(name) && values[name]) texts[name] = values[name];
  return newSae(texts);
}

function ForAll({ values, files, kinds, onChange }) {
  const { form } = words();
  const open = new Set(files.flatMap((file) => openFields(file, values)));
  const names = forAll.filter((name) => open.has(name) || values[name]);
  if (names.length === 0) return html`<p class="soft small">${form.folder.complete}</p>`;
  return html`
    <p class="soft small">${form.folder.forAll}</p>
    <div class="fields">
      ${names.map(
        (name) => html`
          <div class="field" key=${name}>
            <label for=${`all-${name}`}>${form.saeLabels[name]}</label>
            ${
              name === 'kind'
                ? html`<select
                    id="all-kind"
                    value=${values.kind ?? ''}
                    onChange=${({ target }) => onChange({ ...values, kind: target.value })}
                  >
                    <option value="">${form.choose}</option>
                    ${kinds.map(({ kind }) => html`<option key=${kind}>${kind}</option>`)}
                  </select>`
                : html`<input
                    id=${`all-${name}`}
                    inputmode="numeric"
                    value=${values[name] ?? ''}
                    onInput=${({ target }) => onChange({ ...values, [name]: target.value })}
                  />`
            }
          </div>
        `,
      )}
    </div>
  `;
}

/** @param onAdd takes the new SAEs */
export function Folder({ checkpoints, kinds, onAdd, onClose }) {
  const [folder, setFolder] = useState('');
  const [text, setText] = useState('');
  const [left, setLeft] = useState(new Set());
  const [values, setValues] = useState({});
  const { form } = words();
  const below = folder.trim().replace(/\/+$/, '');
  const found = checkpoints.filter(
    ({ path, candidates }) =>
      candidates.length > 0 &&
      below !== '' &&
      path.startsWith(`${below}/`) &&
      path.toLowerCase().includes(text.trim().toLowerCase()),
  );
  const chosen = found.filter(({ path, obstacle }) => !left.has(path) && obstacle === null);
  const toggle = ({ path }) => {
    const next = new Set(left);
    if (!next.delete(path)) next.add(path);
    setLeft(next);
  };
  function add() {
    const labels = labelsOf(chosen.map(({ path }) => path));
    onAdd(chosen.map((file, index) => filled(file, values, labels[index])));
    onClose();
  }
  return html`
    <div class="panel">
      <h3>${form.folder.title}</h3>
      <div class="fields">
        <div class="field span">
          <label for="folder-path">${form.folder.path}</label>
          <input
            id="folder-path"
            list="folder-list"
            autocomplete="off"
            value=${folder}
            onInput=${({ target }) => setFolder(target.value)}
          />
          <datalist id="folder-list">
            ${foldersOf(checkpoints).map((one) => html`<option value=${one} key=${one}></option>`)}
          </datalist>
        </div>
        <div class="field">
          <label for="folder-filter">${form.folder.filter}</label>
          <input
            id="folder-filter"
            value=${text}
            onInput=${({ target }) => setText(target.value)}
          />
        </div>
      </div>
      ${below !== '' && html`<p role="status">${form.folder.found(found.length)}</p>`}
      <ul class="files">
        ${found.map(
          (file) => html`
            <li key=${file.path}>
              <label class="check">
                <input
                  type="checkbox"
                  checked=${chosen.includes(file)}
                  disabled=${file.obstacle !== null}
                  onChange=${() => toggle(file)}
                />
                <span>
                  ${file.path.slice(below.length + 1)}
                  <span class="soft small"> ${factsOf(file)}</span>
                </span>
              </label>
            </li>
          `,
        )}
      </ul>
      ${
        chosen.length > 0 &&
        html`<${ForAll} ...${{ values, files: chosen, kinds }} onChange=${setValues} />`
      }
      <div class="actions">
        <button type="button" class="primary" disabled=${chosen.length === 0} onClick=${add}>
          ${form.folder.add(chosen.length)}
        </button>
        <button type="button" class="quiet" onClick=${onClose}>${form.close}</button>
      </div>
    </div>
  `;
}
