/** The header: navigation, language, API key. */
import { useEffect, useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { language, setLanguage, words } from '../language/words.js';
import { askForKey } from './key-dialog.js';
import { hasKey, onKey, usesKeys } from './key.js';
import { apiDescription, openDocument } from './session.js';

function KeyButton() {
  const [isShown, setShown] = useState(usesKeys());
  useEffect(() => onKey(() => setShown(usesKeys())), []);
  // A page that failed for want of a key is loaded again.
  const ask = () => askForKey().then((isGiven) => isGiven && location.reload());
  return html`<button type="button" class="quiet" hidden=${!isShown} onClick=${() => void ask()}>
    ${words().key.title}
  </button>`;
}

export function Header({ current }) {
  const { nav } = words();
  const link = (name, href, text) =>
    html`<a href=${href} aria-current=${name === current ? 'page' : undefined}>${text}</a>`;
  function openApi(event) {
    if (!hasKey()) return;
    event.preventDefault();
    void openDocument(apiDescription, 'application/json');
  }
  const other = language() === 'zh' ? 'en' : 'zh';
  return html`
    <header class="top">
      <a class="brand" href="#/" aria-label="sae-eval">
        <img src="page/icon.svg" alt="" width="28" height="28" /> <span>sae-eval</span>
      </a>
      <nav aria-label=${nav.label}>
        ${link('list', '#/', nav.list)} ${link('new', '#/new', nav.form)}
        <a href="docs/" onClick=${openApi}>${nav.api}</a>
      </nav>
      <${KeyButton} />
      <button
        type="button"
        class="quiet"
        lang=${other === 'zh' ? 'zh-CN' : 'en'}
        onClick=${() => setLanguage(other)}
      >
        ${other === 'zh' ? '中文' : 'English'}
      </button>
    </header>
  `;
}
