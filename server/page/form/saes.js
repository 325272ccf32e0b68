/** The SAEs of the form, and the ways to add some. */
import { html } from 'htm/preact';
import { useRef, useState } from 'preact/hooks';
import { words } from '../language/words.js';
import { newSae } from './draft.js';
import { Folder } from './folder.js';
import { Sae } from './sae.js';

/** More SAEs than this are folded up. */
const mostOpen = 4;

export function Saes({ saes, catalogue, context, problems, fileOf, isLoading, onChange }) {
  const [isFolderOpen, setFolderOpen] = useState(false);
  const [added, setAdded] = useState(new Set());
  const node = useRef(null);
  const { form } = words();
  const change = (index, sae) => onChange(saes.map((one, i) => (i === index ? sae : one)));
  const hasProblem = (index) =>
    [...problems.keys()].some((path) => path.startsWith(`saes[${index}].`));
  function add() {
    const sae = newSae();
    setAdded(new Set(added).add(sae.key));
    onChange([...saes, sae]);
    setTimeout(() => node.current.querySelector('.sae:last-of-type input')?.focus());
  }
  return html`
    <section class="card" ref=${node}>
      <h2>${form.groups.saes}</h2>
      ${isLoading && html`<p class="soft small" role="status">${form.readingFiles}</p>`}
      ${saes.map(
        (sae, index) => html`
          <${Sae}
            key=${sae.key}
            ...${{ index, sae, context, problems }}
            file=${fileOf(sae.texts.checkpoint)}
            isOpen=${saes.length <= mostOpen || added.has(sae.key) || hasProblem(index)}
            onChange=${(next) => change(index, next)}
            onRemove=${() => onChange(saes.filter((one) => one !== sae))}
          />
        `,
      )}
      ${saes.length === 0 && html`<p class="soft">${form.noSae}</p>`}
      ${
        isFolderOpen &&
        html`<${Folder}
          checkpoints=${catalogue.checkpoints}
          kinds=${catalogue.kinds}
          onAdd=${(found) =>
            onChange([
              ...saes.filter(({ texts }) => texts.checkpoint ?? texts.checkpoints),
              ...found,
            ])}
          onClose=${() => setFolderOpen(false)}
        />`
      }
      <div class="actions">
        <button type="button" onClick=${add}>${form.addSae}</button>
        <button
          type="button"
          aria-expanded=${isFolderOpen ? 'true' : 'false'}
          onClick=${() => setFolderOpen(!isFolderOpen)}
        >
          ${form.folder.title}
        </button>
      </div>
    </section>
  `;
}
