/**
 * Events of evaluations and their watchers. An event carries a state, not a difference, so a
 * watcher that resumes needs only the newest progress, the newest values of each SAE and the end.
 *
 * Ids are microseconds since 1970. They increase strictly within an evaluation, also over a restart
 * of the server.
 */
import {
  hasEnded,
  type EvaluationEvent,
  type EvaluationRecord,
  type EvaluationSummary,
  type Progress,
} from '../../src/schema/record.js';
import type { SaeResult } from '../../src/schema/result.js';

export type Watcher = (event: EvaluationEvent) => void;

interface Topic {
  lastId: number;
  progress: EvaluationEvent | null;
  results: Map<string, EvaluationEvent>;
  watchers: Set<Watcher>;
}

/** Events of an ended evaluation have the same ids always: its results, then the end. */
const baseOf = ({ endedAt, createdAt }: EvaluationSummary): number =>
  Date.parse(endedAt ?? createdAt) * 1000;
export const resultIdOf = (summary: EvaluationSummary, index: number): number =>
  baseOf(summary) + 500 + index;
export const endIdOf = (summary: EvaluationSummary): number => baseOf(summary) + 999;

function endingEvents({ result, ...summary }: EvaluationRecord): EvaluationEvent[] {
  const results = (result?.results ?? []).map((data, index): EvaluationEvent => ({
    event: 'result',
    id: String(resultIdOf(summary, index)),
    data,
  }));
  return [...results, { event: 'end', id: String(endIdOf(summary)), data: summary }];
}

export class EventHub {
  readonly #topics = new Map<string, Topic>();

  progress(id: string, status: EvaluationSummary['status'], progress: Progress | null): void {
    const topic = this.#topic(id);
    topic.progress = { event: 'progress', id: this.#nextId(topic), data: { status, progress } };
    this.#tell(topic, topic.progress);
  }

  results(id: string, results: readonly SaeResult[]): void {
    const topic = this.#topic(id);
    for (const data of results) {
      const event: EvaluationEvent = { event: 'result', id: this.#nextId(topic), data };
      topic.results.set(data.label, event);
      this.#tell(topic, event);
    }
  }

  end(record: EvaluationRecord): void {
    const topic = this.#topics.get(record.id);
    if (topic === undefined) return;
    for (const event of endingEvents(record)) this.#tell(topic, event);
    this.#topics.delete(record.id);
  }

  /**
   * Sends a watcher the events since `after`, then new ones. Call for evaluations that have not
   * ended. Returns a function that stops watching.
   */
  watch(record: EvaluationSummary, after: number, watcher: Watcher): () => void {
    const topic = this.#topic(record.id);
    topic.progress ??= {
      event: 'progress',
      id: this.#nextId(topic),
      data: {
        status: record.status,
        progress: record.progress,
        ...(record.waitingFor === null ? {} : { waitingFor: record.waitingFor }),
      },
    };
    // A later id than any given here is of an earlier server, before the clock was set back.
    const seen = after > topic.lastId ? 0 : after;
    const missed = [topic.progress, ...topic.results.values()].filter(
      ({ id }) => Number(id) > seen,
    );
    for (const event of missed.sort((a, b) => Number(a.id) - Number(b.id))) watcher(event);
    topic.watchers.add(watcher);
    return () => {
      if (!topic.watchers.delete(watcher)) return;
      if (topic.watchers.size === 0 && !hasEnded(record.status) && topic.results.size === 0)
        this.#topics.delete(record.id);
    };
  }

  #topic(id: string): Topic {
    let topic = this.#topics.get(id);
    if (topic === undefined)
      this.#topics.set(
        id,
        (topic = { lastId: 0, progress: null, results: new Map(), watchers: new Set() }),
      );
    return topic;
  }

  #nextId(topic: Topic): string {
    topic.lastId = Math.max(topic.lastId + 1, Date.now() * 1000);
    return String(topic.lastId);
  }

  #tell(topic: Topic, event: EvaluationEvent): void {
    for (const watcher of topic.watchers) watcher(event);
  }
}
