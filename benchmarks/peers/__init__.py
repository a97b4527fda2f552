"""Forward passes beside other runtimes: same reviews, same checkpoint, one run, each in its environment."""
