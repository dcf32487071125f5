const TONE = 'medium-light|medium-dark|light|medium|dark';

/** Modifiers U+1F3FB to U+1F3FF, as five of the sets write them and as Noto Emoji numbers some. */
const SPELLED = new RegExp(`-(${TONE})-skin-tone(?=-|$)`, 'g');
const NUMBERED = /-tone([1-5])(?=-|$)/g;
const SHORT = new RegExp(`-(${TONE})$`);
const BY_NUMBER = ['light', 'medium-light', 'medium', 'medium-dark', 'dark'];

/** An icon's name without its skin tones, and these in order. */
export interface TonedName {
  readonly base: string;
  readonly tones: readonly string[];
}

/** @param character code points of the character that it draws, by which a short form such as `artist-dark` is known */
export function tonedName(icon: string, character = ''): TonedName {
  const tones: string[] = [];
  const take = (tone: string): string => {
    tones.push(tone);
    return '';
  };
  let base = icon
    .replace(SPELLED, (_, tone) => take(tone))
    .replace(NUMBERED, (_, number) => take(BY_NUMBER[Number(number) - 1]));
  if (tones.length === 0 && /1f3f[b-f]/.test(character)) base = base.replace(SHORT, (_, tone) => take(tone));
  return { base, tones };
}
