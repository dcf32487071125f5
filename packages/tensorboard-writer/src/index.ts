export type { Event } from './event.js';
export { EventFileError } from './eventFileError.js';
export { createEventWriter, type EventWriter, type EventWriterOptions } from './eventWriter.js';
export type { Histogram } from './histogram.js';
export type { HparamsContent, HparamValue } from './hparams.js';
export type { EncodedImage } from './image.js';
export { keepEventsUntil } from './keepEventsUntil.js';
export { type ReadEventsOptions, readEvents } from './readEvents.js';
export type { SummaryValue } from './summaryValue.js';
