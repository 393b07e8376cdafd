/** Instants as numbers, for hundreds of thousands at once. */

const DIGIT = 48;

/**
 * Seconds since 1970 of an instant as the API writes it: "2026-01-31T12:00:05Z", with or without a
 * fraction. Anything else is left to Date.parse, which takes several times as long.
 */
export function instantReader(): (at: string) => number {
  let day = "";
  let midnight = NaN;
  return (at) => {
    if (at.charCodeAt(10) !== 84 /* T */ || !inUtc(at)) return Date.parse(at) / 1000;
    if (!at.startsWith(day) || day === "") {
      day = at.slice(0, 10);
      midnight = Date.parse(`${day}T00:00:00Z`) / 1000;
    }
    const whole = midnight + two(at, 11) * 3600 + two(at, 14) * 60 + two(at, 17);
    return at.charCodeAt(19) === 46 /* . */ ? whole + fraction(at) : whole;
  };
}

function inUtc(at: string): boolean {
  return at.charCodeAt(at.length - 1) === 90 /* Z */ || at.endsWith("+00:00");
}

function two(text: string, at: number): number {
  return (text.charCodeAt(at) - DIGIT) * 10 + text.charCodeAt(at + 1) - DIGIT;
}

function fraction(at: string): number {
  let value = 0;
  let size = 1;
  for (let index = 20; index < at.length; index += 1) {
    const digit = at.charCodeAt(index) - DIGIT;
    if (digit < 0 || digit > 9) break;
    size /= 10;
    value += digit * size;
  }
  return value;
}
