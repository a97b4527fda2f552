"""What Optimum makes of a bundle: texts on stdin, labels and logits of the fp32 graph on stdout, as JSON."""

import json
import sys

from optimum.onnxruntime import ORTModelForSequenceClassification
from transformers import AutoTokenizer

model = ORTModelForSequenceClassification.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
rows = tokenizer(json.load(sys.stdin), padding=True, truncation=True, return_tensors="pt")
labels = [model.config.id2label[label] for label in sorted(model.config.id2label)]
json.dump({"labels": labels, "logits": model(**rows).logits.tolist()}, sys.stdout)
