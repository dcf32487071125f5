"""Scores captions with pycocoevalcap: captionMetrics.py captions.json scores.json [METEOR] [SPICE]

captions.json: [{"id", "prediction", "references": […]}]; scores.json: {"tokens": {caption: its tokens}, "scores": {metric: {"corpus",
"perImage"}}, "skipped": [why]}, images in the order given.
"""

import importlib.metadata
import json
import sys

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.spice.spice import Spice
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer


def scored(metric, references, predictions):
    if metric == "BLEU":
        corpus, per_image = Bleu(4).compute_score(references, predictions, verbose=0)
        return {f"bleu{n + 1}": {"corpus": corpus[n], "perImage": list(per_image[n])} for n in range(4)}
    if metric == "SPICE":
        corpus, per_image = Spice().compute_score(references, predictions)
        return {"spice": {"corpus": float(corpus), "perImage": [scores["All"]["f"] for scores in per_image]}}
    name, scorer = {"METEOR": ("meteor", Meteor), "ROUGE-L": ("rougeL", Rouge), "CIDEr-D": ("ciderD", Cider)}[metric]
    corpus, per_image = scorer().compute_score(references, predictions)
    return {name: {"corpus": float(corpus), "perImage": [float(score) for score in per_image]}}


def main():
    given, out, *jars = sys.argv[1:]
    with open(given, encoding="utf-8") as file:
        images = json.load(file)
    captions = {image["id"]: [{"caption": text} for text in [image["prediction"], *image["references"]]] for image in images}
    tokenized = PTBTokenizer().tokenize(captions)
    tokens = {given["caption"]: text for key in captions for given, text in zip(captions[key], tokenized[key], strict=True)}
    predictions = {key: texts[:1] for key, texts in tokenized.items()}
    references = {key: texts[1:] for key, texts in tokenized.items()}
    scores, skipped = {}, []
    for metric in ["BLEU", "ROUGE-L", "CIDEr-D", *jars]:
        try:
            scores.update(scored(metric, references, predictions))
        except Exception as error:  # a scorer that fails must not hide the others
            skipped.append(f"{metric} is left out: {type(error).__name__}: {error}")
    result = {"version": importlib.metadata.version("pycocoevalcap"), "tokens": tokens, "scores": scores, "skipped": skipped}
    with open(out, "w", encoding="utf-8") as file:
        json.dump(result, file)


main()
