/** @file What can be asked of images whose content is known beyond their reference captions, such as drawn scenes. */

/** A kind of ground truth: what it tells of a caption, how tables name that, and how its files are opened. */
export interface CaptionProbe {
  /** Attributes whose shares are measured, in the order in which scores are kept. */
  readonly attributes: readonly string[];
  /** The attributes that tables show, in their order. */
  readonly columns: readonly AttributeColumn[];
  readonly choice: ChoiceDescription;
  /**
   * Ground truth of images, in the order of `imageIds`.
   *
   * @throws UserError when the file lacks an image
   */
  open(path: string, imageIds: readonly number[]): ProbedImages;
}

/** How a table shows an attribute. */
export interface AttributeColumn {
  readonly attribute: string;
  readonly label: string;
  /** The unit, such as 'share right'. */
  readonly note: string;
  /** The label in the terminal, which shows only columns that have one (80 columns wide, three of these fit). */
  readonly shortLabel?: string;
  /** Explains a starred label, under the tables. */
  readonly footnote?: string;
}

/** A decision between two opposite options that captions state in words, such as left or right. */
export interface ChoiceDescription {
  /** Name of the metric: the share of captions whose stated option is likelier than its opposite. */
  readonly name: string;
  /** Name of the same share over the captions that no shortcut answers. */
  readonly withoutShortcutName: string;
  /** The words at which a caption decides, lower case; captions use them for nothing else. */
  readonly words: readonly string[];
  /** The single words that state each option. */
  readonly options: Readonly<Record<string, readonly string[]>>;
  /** Labels of both shares in the terminal. */
  readonly labels: readonly [all: string, withoutShortcut: string];
  /** The section of the report: its title, what it asks, and its two columns. */
  readonly report: { readonly title: string; readonly text: string; readonly columns: readonly [string, string] };
}

/** The ground truth of the images of one data set; `image` is a position in it. */
export interface ProbedImages {
  assess(caption: string, image: number): CaptionAssessment;
  /** The option that a reference caption states; undefined where it states none, or a wrong one. */
  stated(caption: string, image: number): StatedOption | undefined;
}

/** How one caption fits its image. */
export interface CaptionAssessment {
  /** By attribute: how much of the image the caption has right, and of how much. */
  readonly shares: Readonly<Record<string, readonly [right: number, total: number]>>;
  /** What there was to count, such as objects; summed over the images of a set. */
  readonly counts: Readonly<Record<string, number>>;
  /** Everything right and nothing added. */
  readonly exact: boolean;
}

export interface StatedOption {
  readonly stated: string;
  readonly opposite: string;
  /** Whether a rule that does not look at everything it should gives the right answer too. */
  readonly shortcut: boolean;
}
