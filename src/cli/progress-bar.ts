/** Progress of an evaluation on stderr: a bar on a terminal, else a line every ten seconds. */
import cliProgress from 'cli-progress';
import type { Progress } from '../schema/index.js';

export interface ProgressDisplay {
  update(progress: Progress): void;
  stop(): void;
}

const secondsBetweenLines = 10;

function clock(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return '?';
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0
    ? `${h}:${String(m).padStart(2, '0')}:${String(s).padStart(2, '0')}`
    : `${m}:${String(s).padStart(2, '0')}`;
}

/** Number of skipped records as text; empty without any. */
function losses({ skipped = [] }: Progress): string {
  const count = skipped.reduce((sum, one) => sum + one.count, 0);
  return count === 0 ? '' : ` · ${count} skipped`;
}

/** Samples per second as text; values below 1 need more digits. */
function rate(samplesPerSecond: number): string {
  return samplesPerSecond < 1 ? samplesPerSecond.toPrecision(2) : samplesPerSecond.toFixed(1);
}

export function progressDisplay(stream: NodeJS.WriteStream = process.stderr): ProgressDisplay {
  return stream.isTTY ? bar(stream) : lines(stream);
}

function bar(stream: NodeJS.WriteStream): ProgressDisplay {
  const shown = new cliProgress.SingleBar(
    {
      stream,
      format: 'evaluating {bar} {value}/{total} samples · {rate}/s · {left} left{losses}',
      hideCursor: true,
      clearOnComplete: true,
    },
    cliProgress.Presets.shades_classic,
  );
  let started = false;
  return {
    update(progress) {
      const { samples, total, samplesPerSecond, secondsLeft } = progress;
      const payload = {
        rate: rate(samplesPerSecond),
        left: clock(secondsLeft),
        losses: losses(progress),
      };
      if (!started) shown.start(total ?? samples, samples, payload);
      started = true;
      shown.setTotal(total ?? samples);
      shown.update(samples, payload);
    },
    stop() {
      if (started) shown.stop();
    },
  };
}

function lines(stream: NodeJS.WriteStream): ProgressDisplay {
  let last = -Infinity;
  let isComplete = false;
  return {
    update(progress) {
      const { samples, total, samplesPerSecond, secondsLeft } = progress;
      const now = performance.now();
      const completes = samples === total && !isComplete;
      if (now - last < secondsBetweenLines * 1000 && !completes) return;
      last = now;
      isComplete ||= completes;
      stream.write(
        `evaluated ${samples}${total === null ? '' : `/${total}`} samples, ` +
          `${rate(samplesPerSecond)}/s, ${clock(secondsLeft)} left${losses(progress)}\n`,
      );
    },
    stop() {},
  };
}
