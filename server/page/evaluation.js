/** One evaluation: live progress, numbers as they come, reports. */
import { announce, connectionNote, element, replace } from './elements.js';
import { hasEnded } from './client/index.js';
import { ago, duration, number, titleOf, whole } from './format.js';
import { statusPill } from './list.js';
import { lossesOf } from './losses.js';
import { reportLinks } from './reports.js';
import { loadMetrics, redrawTable, resultsCharts, resultsTable } from './results.js';
import { call, client } from './session.js';

const betweenPlaces = 2000;

export async function showEvaluation({ main, signal }, id) {
  const [first, metrics] = await Promise.all([
    call((api) => api.get(id, { signal })),
    loadMetrics({ signal }),
  ]);
  let record = first;
  const results = new Map((record.result?.results ?? []).map((result) => [result.label, result]));

  const head = element('div', { class: 'heading' });
  const problem = element('div', { hidden: true });
  const connection = connectionNote();
  const progress = element('section', { class: 'card' });
  const losses = element('section', { class: 'card', hidden: true });
  const table = element('section', { class: 'card', hidden: true });
  const charts = resultsCharts(metrics);
  const findings = element('section', { class: 'card', hidden: true });
  const reports = element('section', { class: 'card', hidden: true });
  const facts = element('section', { class: 'card' });

  /** Does something with the evaluation and says so; returns whether it worked. */
  async function act(said, body) {
    try {
      await call(body);
      announce(said);
      return true;
    } catch (error) {
      problem.hidden = false;
      replace(problem, element('p', { class: 'problem', role: 'alert' }, error.message));
      return false;
    }
  }

  function drawHead() {
    const cancel = element(
      'button',
      {
        type: 'button',
        class: 'danger',
        onclick: ({ target }) => {
          if (target.getAttribute('aria-disabled') === 'true') return;
          // `disabled` would lose the focus.
          target.setAttribute('aria-disabled', 'true');
          void act('Cancelling', (api) => api.cancel(id)).then((worked) => {
            if (!worked) target.removeAttribute('aria-disabled');
          });
        },
      },
      'Cancel',
    );
    const remove = element(
      'button',
      {
        type: 'button',
        class: 'quiet danger',
        onclick: () => {
          if (confirm('Remove this evaluation and its results?'))
            void act('Removed', (api) => api.remove(id)).then((worked) => {
              if (worked) location.hash = '#/';
            });
        },
      },
      'Remove',
    );
    const hadFocus = head.contains(document.activeElement);
    const heading = element('h1', { tabindex: '-1' }, titleOf(record));
    replace(
      head,
      element('div', {}, heading, statusPill(record.status)),
      element('div', {}, hasEnded(record.status) ? remove : cancel),
    );
    // The pressed button is gone.
    if (hadFocus) heading.focus();
    const failed = record.error !== null && record.status !== 'cancelled';
    problem.hidden = !failed;
    if (failed)
      replace(
        problem,
        element(
          'div',
          { class: 'problem', role: 'alert' },
          element('strong', {}, record.error.code),
          ' — ',
          record.error.message,
        ),
      );
  }

  function drawProgress() {
    const { status, progress: state, position, waitingFor, result } = record;
    const pairs =
      result !== null
        ? [
            ['Samples', whole(result.data.samples)],
            ['Real tokens', whole(result.data.realTokens)],
            ['Compute time', duration(result.timing.seconds)],
            ['Tokens per second', whole(result.timing.tokensPerSecond)],
          ]
        : state !== null
          ? [
              [
                'Samples',
                `${whole(state.samples)}${state.total === null ? '' : ` of ${whole(state.total)}`}`,
              ],
              ['Rate', `${number(state.samplesPerSecond, 3)} per s`],
              ['Time left', status === 'running' ? duration(state.secondsLeft) : '–'],
              ['Batches', whole(state.batches)],
            ]
          : [
              ['Place in the queue', position === null ? '–' : whole(position)],
              ['Device', record.device],
            ];
    const bar =
      status === 'running'
        ? element('progress', {
            'aria-label': 'Progress of the evaluation',
            ...(state?.total ? { max: state.total, value: state.samples } : {}),
          })
        : null;
    replace(
      progress,
      element('h2', {}, hasEnded(status) ? 'Run' : 'Progress'),
      bar,
      bar && element('p', {}),
      waitingFor && element('p', {}, waitingFor.en),
      element(
        'dl',
        { class: 'numbers' },
        ...pairs.map(([name, value]) =>
          element('div', {}, element('dt', {}, name), element('dd', {}, value)),
        ),
      ),
    );
  }

  function drawLosses() {
    const shown = lossesOf(record);
    losses.hidden = shown === null;
    if (shown !== null) replace(losses, ...shown);
  }

  function drawResults() {
    const list = [...results.values()];
    table.hidden = list.length === 0;
    charts.node.hidden = list.length === 0;
    if (list.length === 0) return;
    redrawTable(
      table,
      resultsTable(metrics, list, {
        caption:
          record.result === null
            ? 'Numbers so far; intervals come at the end.'
            : 'Best values are bold; a 95 % interval stands below its value.',
      }),
    );
    charts.update(list);
  }

  function drawEnd() {
    const { result } = record;
    reports.hidden = result === null;
    if (result !== null) replace(reports, element('h2', {}, 'Reports'), reportLinks(id));
    findings.hidden = result === null || result.findings.length === 0;
    if (!findings.hidden)
      replace(
        findings,
        element('h2', {}, 'Findings'),
        ...result.findings.map(({ severity, sae, message }) =>
          element(
            'p',
            { class: `finding ${severity}` },
            element('strong', {}, `${severity}${sae === null ? '' : ` · ${sae}`}: `),
            message.en,
          ),
        ),
      );
  }

  function drawFacts() {
    const { dataset, model, batchSize, dtype, seed } = record.request;
    const pairs = [
      ['Model', model],
      ['Text', dataset.path],
      ['Samples', `at most ${whole(dataset.maxSamples)} of ${whole(dataset.seqLen)} tokens`],
      ['Batch size', whole(batchSize)],
      ['dtype', dtype],
      ['Device', record.device],
      ['Seed', String(seed)],
      ['Submitted', ago(record.createdAt)],
    ];
    replace(
      facts,
      element('h2', {}, 'Request'),
      element(
        'dl',
        { class: 'numbers' },
        ...pairs.map(([name, value]) =>
          element('div', {}, element('dt', {}, name), element('dd', { class: 'small' }, value)),
        ),
      ),
      element('p', {}),
      element(
        'details',
        {},
        element('summary', {}, 'As JSON'),
        element('pre', { tabindex: '0' }, JSON.stringify(record.request, null, 2)),
      ),
    );
  }

  function drawAll() {
    drawHead();
    drawProgress();
    drawLosses();
    drawResults();
    drawEnd();
    drawFacts();
  }

  drawAll();
  replace(
    main,
    element('p', { class: 'small' }, element('a', { href: '#/' }, '← All evaluations')),
    head,
    problem,
    connection.node,
    progress,
    losses,
    table,
    charts.node,
    findings,
    reports,
    facts,
  );
  if (!hasEnded(record.status))
    follow().catch((error) => {
      if (!signal.aborted) replace(problem, element('p', { class: 'problem' }, error.message));
    });

  /** Asks for the place in the queue: no event tells that other evaluations moved it. */
  async function followPlace() {
    while (record.status === 'queued') {
      await new Promise((resolve) => setTimeout(resolve, betweenPlaces));
      if (signal.aborted || record.status !== 'queued') return;
      const { position, waitingFor } = await call((api) => api.summary(id, { signal }));
      if (record.status !== 'queued') return;
      if (position === record.position && waitingFor?.en === record.waitingFor?.en) continue;
      record = { ...record, position, waitingFor };
      drawProgress();
    }
  }

  async function follow() {
    void followPlace().catch(() => {});
    // The page continues when the server or the network is back, however long that takes.
    for await (const event of client().watch(id, {
      signal,
      attempts: Infinity,
      onFailure: connection.lost,
    })) {
      connection.back();
      if (event.event === 'progress') {
        const { status, progress: now } = event.data;
        const changed = record.status !== status;
        record = {
          ...record,
          status,
          progress: now ?? record.progress,
          position: status === 'queued' ? record.position : null,
          waitingFor: event.data.waitingFor ?? null,
        };
        if (changed) {
          drawHead();
          announce(`The evaluation is ${status}.`);
        }
        drawProgress();
        drawLosses();
      } else if (event.event === 'result') {
        results.set(event.data.label, event.data);
        drawResults();
      }
    }
    connection.back();
    record = await call((api) => api.get(id, { signal }));
    for (const result of record.result?.results ?? []) results.set(result.label, result);
    drawAll();
    announce(`The evaluation ${record.status}.`);
  }
}
