import { describe, expect, it } from 'vitest';
import { iconCaption, nameKey } from '../../pictures/emoji/iconCaption.js';
import { tonedName } from '../../pictures/emoji/skinTones.js';
import { wordSplitter } from '../../pictures/emoji/wordSplit.js';

describe('iconCaption', () => {
  it.each([
    ['grinning-face', 'grinning face'],
    ['woman-firefighter-dark-skin-tone', 'woman firefighter: dark skin tone'],
    ['mermaid-tone4', 'mermaid: medium-dark skin tone'],
    [
      'kiss-woman-man-dark-skin-tone-medium-light-skin-tone',
      'kiss: woman, man, dark skin tone, medium-light skin tone',
    ],
    ['family-man-woman-girl', 'family: man, woman, girl'],
    ['man-medium-skin-tone-beard', 'man: medium skin tone, beard'],
    ['person-blonde-hair', 'person: blond hair'],
    ['flag-isle-of-man', 'flag: Isle of Man'],
    ['flag-for-flag-us-virgin-islands', 'flag: U.S. Virgin Islands'],
    ['flag-for-white-flag', 'white flag'],
    ['flag-in-hole', 'flag in hole'],
    ['keycap-asterisk', 'keycap: asterisk'],
    ['three-oclock', "three o'clock"],
    ['t-shirt', 't-shirt'],
    ['jack-o-lantern', 'jack-o-lantern'],
    ['ok-hand', 'OK hand'],
    ['womans-hat', "woman's hat"],
    ['map-of-japan', 'map of Japan'],
    ['virgo', 'Virgo'],
    ['mount-fuji', 'Mount Fuji'],
  ])('%s reads %s', (icon, caption) => {
    expect(iconCaption(tonedName(icon))).toBe(caption);
  });

  it('takes a short form for a skin tone only where the character has one', () => {
    expect(iconCaption(tonedName('artist-dark', '1f9d1-1f3ff-200d-1f3a8'))).toBe('artist: dark skin tone');
    expect(iconCaption(tonedName('trigram-dark', '2630'))).toBe('trigram dark');
  });

  it('has one key for all spellings of a name', () => {
    expect(nameKey("Three O'Clock")).toBe(nameKey('three-oclock'));
  });
});

describe('wordSplitter', () => {
  const { split } = wordSplitter(['fox-face', 'tear-of-joy', 'clock-face', 'of', 'face-of-joy']);

  it.each([
    ['foxtearofjoy', 'fox-tear-of-joy'],
    ['clock12', 'clock-12'],
    ['fox-clock', 'fox-clock'],
    ['northwestfox', 'northwest-fox'],
    ['xyzzy', undefined],
    ['foxx', undefined],
  ])('%s is %s', (name, words) => {
    expect(split(name)).toBe(words);
  });
});
