/** The list of evaluations, with live progress; select some to compare them. */
import { evaluationStatuses } from './client/index.js';
import { connectionNote, element, replace } from './elements.js';
import { ago, duration, number, titleOf, whole } from './format.js';
import { call } from './session.js';

const everyMs = 2000;

export function statusPill(status) {
  return element('span', { class: `pill ${status}` }, status);
}

export function progressOf({ status, progress, position, waitingFor }) {
  if (status === 'queued')
    return element(
      'span',
      { class: 'soft small' },
      waitingFor !== null
        ? waitingFor.en
        : position === null
          ? 'waiting'
          : `number ${position} in the queue`,
    );
  if (progress === null)
    return element('span', { class: 'soft small' }, status === 'running' ? 'starting' : '');
  const { samples, total, samplesPerSecond, secondsLeft } = progress;
  const left = secondsLeft === null ? '' : ` · ${duration(secondsLeft)} left`;
  if (status !== 'running')
    return element('span', { class: 'soft small' }, `${whole(samples)} samples`);
  return element(
    'div',
    {},
    element('progress', { max: total ?? samples + 1, value: samples, 'aria-label': 'Progress' }),
    element(
      'span',
      { class: 'soft small' },
      `${whole(samples)}${total === null ? '' : ` of ${whole(total)}`} · ` +
        `${number(samplesPerSecond, 3)}/s${left}`,
    ),
  );
}

export async function showList({ main, signal }) {
  const filter = { status: '', label: '' };
  const selected = new Set();
  let pages = 1;

  const compare = element(
    'button',
    {
      type: 'button',
      disabled: true,
      onclick: () => (location.hash = `#/compare/${[...selected].join(',')}`),
    },
    'Compare',
  );
  const connection = connectionNote();
  const rows = element('tbody');
  const table = element(
    'table',
    { class: 'runs' },
    element('caption', { class: 'visually-hidden' }, 'Evaluations, newest first'),
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        ...['', 'Evaluation', 'Status', 'Progress', 'Submitted'].map((text) =>
          element(
            'th',
            { scope: 'col' },
            text || element('span', { class: 'visually-hidden' }, 'Select'),
          ),
        ),
      ),
    ),
    rows,
  );
  const more = element(
    'button',
    {
      type: 'button',
      class: 'quiet',
      hidden: true,
      onclick: () => {
        pages += 1;
        void refresh();
      },
    },
    'Show older ones',
  );
  const empty = element('div', { class: 'empty', hidden: true });
  const card = element(
    'section',
    { class: 'card' },
    element('div', { class: 'scroll' }, table),
    empty,
    element('div', { class: 'actions' }, more),
  );
  const status = element(
    'select',
    {
      id: 'filter-status',
      onchange: () => {
        filter.status = status.value;
        void refresh();
      },
    },
    element('option', { value: '' }, 'All'),
    ...evaluationStatuses.map((name) => element('option', { value: name }, name)),
  );
  const label = element('input', {
    id: 'filter-label',
    type: 'search',
    placeholder: 'exact label',
    onchange: () => {
      filter.label = label.value.trim();
      void refresh();
    },
  });

  function row(item) {
    const done = item.status === 'succeeded' || item.status === 'partial';
    const toggle = (event) => {
      if (event.target.checked) selected.add(item.id);
      else selected.delete(item.id);
      compare.disabled = selected.size < 2;
      compare.textContent = selected.size < 2 ? 'Compare' : `Compare ${selected.size}`;
    };
    const title = titleOf(item);
    return element(
      'tr',
      { 'data-id': item.id },
      element(
        'td',
        { class: 'pick' },
        element('input', {
          type: 'checkbox',
          'aria-label': `Select ${title}, submitted ${ago(item.createdAt)}`,
          checked: selected.has(item.id),
          disabled: !done,
          onchange: toggle,
        }),
      ),
      element(
        'td',
        { class: 'what' },
        element('a', { href: `#/evaluations/${item.id}` }, title),
        element(
          'div',
          { class: 'soft small' },
          `${item.request.dataset.path} · ` +
            `${item.device}${item.submittedBy === null ? '' : ` · ${item.submittedBy}`}`,
        ),
      ),
      element('td', { class: 'state' }, statusPill(item.status)),
      element(
        'td',
        { class: 'bar' },
        item.error === null
          ? progressOf(item)
          : element('span', { class: 'soft small' }, item.error.message.slice(0, 120)),
      ),
      element(
        'td',
        { class: 'when soft small' },
        element(
          'time',
          { datetime: item.createdAt, title: new Date(item.createdAt).toLocaleString() },
          ago(item.createdAt),
        ),
      ),
    );
  }

  async function load() {
    const items = [];
    let cursor;
    for (let page = 0; page < pages; page++) {
      const answer = await call((client) =>
        client.list({
          limit: 20,
          signal,
          ...(cursor === undefined ? {} : { cursor }),
          ...(filter.status === '' ? {} : { status: filter.status }),
          ...(filter.label === '' ? {} : { label: filter.label }),
        }),
      );
      items.push(...answer.items);
      cursor = answer.nextCursor ?? undefined;
      if (cursor === undefined) break;
    }
    return { items, hasMore: cursor !== undefined };
  }

  let shown = '';
  async function refresh() {
    const { items, hasMore } = await load();
    const now = JSON.stringify([items, Math.floor(Date.now() / 60_000)]);
    if (now === shown) return;
    shown = now;
    // Replaced rows would lose the keyboard focus.
    const focused = rows.contains(document.activeElement)
      ? [document.activeElement.closest('tr')?.dataset.id, document.activeElement.tagName]
      : null;
    replace(rows, items.map(row));
    if (focused !== null)
      rows.querySelector(`tr[data-id="${focused[0]}"] ${focused[1].toLowerCase()}`)?.focus();
    table.hidden = items.length === 0;
    empty.hidden = items.length > 0;
    replace(
      empty,
      element(
        'strong',
        {},
        filter.status === '' && filter.label === '' ? 'No evaluations yet' : 'Nothing matches',
      ),
      filter.status === '' && filter.label === ''
        ? element('a', { href: '#/new' }, 'Submit the first one')
        : 'Try another filter.',
    );
    more.hidden = !hasMore;
  }

  await refresh();
  replace(
    main,
    element(
      'div',
      { class: 'heading' },
      element('h1', {}, 'Evaluations'),
      element(
        'div',
        {},
        compare,
        element('a', { class: 'button primary', href: '#/new' }, 'New evaluation'),
      ),
    ),
    element(
      'div',
      { class: 'filters' },
      element('div', {}, element('label', { for: 'filter-status' }, 'Status'), status),
      element('div', {}, element('label', { for: 'filter-label' }, 'Label'), label),
    ),
    connection.node,
    card,
  );
  void keepFresh(refresh, { signal, connection });
}

/** Refreshes every two seconds while the page is visible. */
async function keepFresh(refresh, { signal, connection }) {
  while (!signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, everyMs));
    if (signal.aborted) return;
    if (!document.hidden)
      await refresh().then(connection.back, () => {
        if (!signal.aborted) connection.lost();
      });
  }
}
