/** The form that submits an evaluation: empty, filled from an earlier one, or from pasted JSON. */
import { html } from 'htm/preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { titleOf } from '../format.js';
import { words } from '../language/words.js';
import { go } from '../shell/address.js';
import { announce } from '../shell/announce.js';
import { useLoaded, Waiting } from '../shell/loading.js';
import { call } from '../shell/session.js';
import { loadCatalogue, loadCheckpoints, suggestionsOf } from './catalogue.js';
import { draftOf, emptyDraft, newSae, requestOf } from './draft.js';
import { groups } from './fields.js';
import { choiceOf, useFiles } from './files.js';
import { Group } from './group.js';
import { Paste } from './paste.js';
import { patchOf } from './patch.js';
import { placed } from './placed.js';
import { ownProblems } from './problems.js';
import { Saes } from './saes.js';
import { isEmpty } from './values.js';

const noProblems = new Map();

/** An empty draft with the server's only model or text, if it has one. */
function firstDraft({ models, datasets }) {
  const only = (list) => (list.length === 1 ? list[0].path : undefined);
  const texts = {
    model: only(models.filter(({ error }) => error === null)),
    'dataset.path': only(datasets),
  };
  return {
    ...emptyDraft(),
    texts: Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined)),
    saes: [newSae()],
  };
}

/** The draft with the kinds that names of files have: a request has to say them. */
function withNamedKinds(draft, fileOf) {
  return {
    ...draft,
    saes: draft.saes.map((sae) => {
      const file = fileOf(sae.texts.checkpoint);
      const named = file?.kindKnown === false ? file.namedKind : null;
      return named === null || !isEmpty(sae.texts.kind)
        ? sae
        : { ...sae, texts: { ...sae.texts, kind: named } };
    }),
  };
}

function Filled({ catalogue: lists, from }) {
  const { value: checkpoints } = useLoaded(loadCheckpoints, []);
  const catalogue = { ...lists, checkpoints: checkpoints ?? [] };
  const [draft, setDraft] = useState(() =>
    from === null ? firstDraft(lists) : draftOf(from.request),
  );
  const [panel, setPanel] = useState(null);
  const [problems, setProblems] = useState(noProblems);
  const [message, setMessage] = useState(null);
  const [isSending, setSending] = useState(false);
  const node = useRef(null);
  const fileOf = useFiles(
    checkpoints,
    draft.saes.map(({ texts }) => texts.checkpoint ?? ''),
  );
  const { form } = words();
  const whole = withNamedKinds(draft, fileOf);
  const { request, problems: unreadable } = requestOf(whole);
  const suggestions = suggestionsOf(catalogue);
  const model = catalogue.models.find(({ path }) => path === draft.texts.model);
  const context = { suggestions, kinds: catalogue.kinds, layers: model?.layers };

  // The first wrong field gets the focus; what folds it up opens first.
  useEffect(() => {
    if (message === null) return;
    const field = node.current.querySelector('.field-problem')?.closest('.field');
    const wrong = field?.querySelector('input, select, textarea') ?? null;
    for (let one = wrong?.closest('details'); one; one = one.parentElement.closest('details'))
      one.open = true;
    (wrong ?? node.current.querySelector('.problem')).focus();
  }, [message]);

  function show(errors, text) {
    setProblems(placed(errors));
    setMessage({ text: errors.length > 0 ? form.checkFields : text });
  }

  async function send(event) {
    event.preventDefault();
    const known = ownProblems(whole, unreadable, (texts) => {
      const file = fileOf(texts.checkpoint);
      return { file, choice: choiceOf((file?.error ?? null) === null ? file : null, texts) };
    });
    if (known.length > 0) return show(known);
    setProblems(noProblems);
    setMessage(null);
    setSending(true);
    try {
      const { id } = await call((api) =>
        from === null ? api.evaluate(request) : api.rerun(from.id, patchOf(from.request, request)),
      );
      announce(form.submitted);
      go(`evaluations/${id}`);
    } catch (error) {
      show(error.fields ?? [], error.message);
    } finally {
      setSending(false);
    }
    return undefined;
  }

  const setText = (path, text) => {
    const texts = { ...draft.texts, [path]: text };
    if (isEmpty(text)) delete texts[path];
    setDraft({ ...draft, texts });
  };
  const elsewhere = problems.get('') ?? [];
  return html`
    <div class="heading">
      <h1>${from === null ? words().titles.form : form.again(titleOf(from))}</h1>
      <button type="button" onClick=${() => setPanel(panel === 'paste' ? null : 'paste')}>
        ${form.paste.title}
      </button>
    </div>
    ${
      panel === 'paste' &&
      html`<${Paste}
        onRequest=${(pasted) => {
          setDraft(draftOf(pasted));
          setProblems(noProblems);
          setMessage(null);
          announce(form.paste.filled);
        }}
        onClose=${() => setPanel(null)}
      />`
    }
    <form class="stack" novalidate ref=${node} onSubmit=${(event) => void send(event)}>
      ${groups.map(({ name, fields }) =>
        name === 'saes'
          ? html`<${Saes}
              key="saes"
              ...${{ catalogue, context, problems, fileOf }}
              isLoading=${checkpoints === null}
              saes=${draft.saes}
              onChange=${(saes) => setDraft({ ...draft, saes })}
            />`
          : html`<${Group}
              key=${name}
              ...${{ name, fields, problems, suggestions }}
              texts=${draft.texts}
              onChange=${setText}
            />`,
      )}
      ${
        draft.rest !== '' &&
        html`<section class="card">
          <h2>${form.otherFields}</h2>
          <label for="field-rest">${form.otherFieldsHint}</label>
          <textarea
            id="field-rest"
            class="mono"
            rows="5"
            value=${draft.rest}
            onInput=${({ target }) => setDraft({ ...draft, rest: target.value })}
          ></textarea>
        </section>`
      }
      <details class="card">
        <summary>${form.asJson}</summary>
        <pre tabindex="0">${JSON.stringify(request, null, 2)}</pre>
      </details>
      <div class="problem" role="alert" tabindex="-1" hidden=${message === null}>
        <strong>${message?.text}</strong>
        ${
          elsewhere.length > 0 &&
          html`<ul>
            ${elsewhere.map((text) => html`<li key=${text}>${text}</li>`)}
          </ul>`
        }
      </div>
      <div class="actions">
        <button type="submit" class="primary" disabled=${isSending}>${form.submit}</button>
        <a class="button quiet" href="#/">${form.back}</a>
      </div>
    </form>
  `;
}

async function load(id, options) {
  const [catalogue, from] = await Promise.all([
    loadCatalogue(options),
    id === null ? null : call((api) => api.summary(id, options)),
  ]);
  return { catalogue, from };
}

export function Form({ query }) {
  const id = query.get('from');
  const { value, error } = useLoaded((options) => load(id, options), [id]);
  if (value === null) return html`<${Waiting} error=${error} />`;
  return html`<${Filled} key=${id ?? ''} ...${value} />`;
}
