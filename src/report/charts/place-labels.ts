/** Places for the labels of points, so that no label lies on another. Runs in browsers too. */

export type Side = 'right' | 'left' | 'above' | 'below';

export interface PlacedLabel<P> {
  point: P;
  text: string;
  side: Side;
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Height of a line, and distance of a label from its point, in pixels. */
const height = 13;
const gap = 8;

/** Estimated width of a text in a font of 11 pixels: East Asian characters are twice as wide. */
const widthOf = (text: string): number =>
  [...text].reduce((sum, character) => sum + (character.codePointAt(0)! > 0x2e80 ? 11 : 6.2), 0);

function boxAt({ x, y }: { x: number; y: number }, width: number, side: Side): Box {
  const left = {
    right: x + gap,
    left: x - gap - width,
    above: x - width / 2,
    below: x - width / 2,
  };
  const top = {
    right: y - height / 2,
    left: y - height / 2,
    above: y - gap - height,
    below: y + gap,
  };
  return {
    left: left[side],
    right: left[side] + width,
    top: top[side],
    bottom: top[side] + height,
  };
}

const overlap = (a: Box, b: Box): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/**
 * Labels that fit, in the order of `points`: the first ones have the first choice. A label that
 * would lie on another, on a point, or outside is left out.
 *
 * @param at pixels of a point.
 */
export function placeLabels<P>(
  points: readonly P[],
  {
    at,
    text,
    width,
    height: whole,
  }: {
    at: (point: P) => { x: number; y: number };
    text: (point: P) => string;
    width: number;
    height: number;
  },
): PlacedLabel<P>[] {
  const taken: Box[] = points.map((point) => {
    const { x, y } = at(point);
    return { left: x - 4, right: x + 4, top: y - 4, bottom: y + 4 };
  });
  const sides: readonly Side[] = ['right', 'left', 'above', 'below'];
  return points.flatMap((point, own): PlacedLabel<P>[] => {
    const label = text(point);
    for (const side of sides) {
      const box = boxAt(at(point), widthOf(label), side);
      const isInside = box.left >= 0 && box.right <= width && box.top >= 0 && box.bottom <= whole;
      if (!isInside || taken.some((other, index) => index !== own && overlap(box, other))) continue;
      taken.push(box);
      return [{ point, text: label, side }];
    }
    return [];
  });
}
