export { type CocoCaptions, type CocoCaptionsOptions, readCocoCaptions } from './cocoCaptions.js';
export { type CaptionImage, readImageFile, readImageFolder } from './imageFolder.js';
export { type CaptionPrediction, type PredictionOptions, readPredictions, writePredictions } from './predictions.js';
