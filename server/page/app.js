/** The page: its header, and the view that the address after # names. */
import { render } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { html } from 'htm/preact';
import { Comparison } from './compare/comparison.js';
import { Frontier } from './compare/frontier.js';
import { Evaluation } from './evaluation/evaluation.js';
import { Form } from './form/form.js';
import { useLanguage, words } from './language/words.js';
import { List } from './list/list.js';
import { announce } from './shell/announce.js';
import { Header } from './shell/header.js';
import { KeyDialog } from './shell/key-dialog.js';
import { useAddress } from './shell/address.js';
import './shell/shown-texts.js';

const routes = [
  [/^$/, 'list', () => html`<${List} />`, ({ titles }) => titles.list],
  [/^new$/, 'new', (_, query) => html`<${Form} query=${query} />`, ({ titles }) => titles.form],
  [
    /^evaluations\/([\w-]+)$/,
    'list',
    ([id]) => html`<${Evaluation} key=${id} id=${id} />`,
    ({ titles }) => titles.evaluation,
  ],
  [
    /^compare\/([\w,-]+)$/,
    'list',
    ([ids]) => html`<${Comparison} key=${ids} ids=${ids.split(',')} />`,
    ({ titles }) => titles.comparison,
  ],
  [
    /^frontier\/([\w,-]+)$/,
    'list',
    ([ids]) => html`<${Frontier} key=${ids} ids=${ids.split(',')} />`,
    ({ titles }) => titles.frontier,
  ],
];

function App() {
  const language = useLanguage();
  const { path, query } = useAddress();
  const main = useRef(null);
  const isFirst = useRef(true);
  const [pattern, name, view, titleOf] =
    routes.find(([candidate]) => candidate.test(path)) ?? routes[0];
  const title = titleOf(words());
  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
    document.title = `${title} · sae-eval`;
  }, [language, title]);
  useEffect(() => {
    if (!isFirst.current) {
      main.current.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
    isFirst.current = false;
    announce(title);
  }, [path]);
  return html`
    <a
      class="skip"
      href="#main"
      onClick=${(event) => {
        event.preventDefault();
        main.current.focus();
      }}
      >${words().skip}</a
    >
    <${Header} current=${name} />
    <main id="main" tabindex="-1" ref=${main}>
      ${view((pattern.exec(path) ?? []).slice(1), query)}
    </main>
    <${KeyDialog} />
  `;
}

render(html`<${App} />`, document.getElementById('app'));
