"""`tf.keras.preprocessing.text`: words to numbers."""

from __future__ import annotations

import functools
import hashlib
import json
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra._checks import expected, one_of
from recurra._missing import says_what_to_do

__all__ = ["Tokenizer", "hashing_trick", "one_hot", "text_to_word_sequence", "tokenizer_from_json"]

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """Returns the words of a text.

    >>> text_to_word_sequence("The cat, the mat.")
    ['the', 'cat', 'the', 'mat']
    """
    text = input_text.lower() if lower else input_text
    table = _table(filters if isinstance(filters, str) else tuple(filters), split)
    return [word for word in text.translate(table).split(split) if word]


@functools.lru_cache(maxsize=8)  # one for all the texts of a tokenizer
def _table(filters: Iterable[str], split: str) -> dict[int, str]:
    return str.maketrans(dict.fromkeys(filters, split))


def hashing_trick(
    text: str,
    n: int,
    hash_function: Any = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], list[str]] | None = None,
) -> list[int]:
    """Returns a number from [1, n) for each word of a text; several words may have the same.

    Args:
        text: The text.
        n: One more than the largest number.
        hash_function: Makes a whole number of a word; "md5" for the same at every run; None is Python's `hash`, which
            differs from run to run.
        filters, lower, split, analyzer: As of `Tokenizer`.

    Raises:
        ValueError: If n is below 2.

    >>> hashing_trick("The cat, the mat.", 50, "md5")
    [43, 32, 43, 29]
    """
    if n < 2:
        raise ValueError(expected("hashing_trick", "n to be at least 2", n))
    numbered = _md5 if hash_function == "md5" else hash_function or hash
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    return [numbered(word) % (n - 1) + 1 for word in words]


def one_hot(
    input_text: str,
    n: int,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], list[str]] | None = None,
) -> list[int]:
    """Returns what `hashing_trick` does with Python's `hash`: numbers of words, and no zeros and ones."""
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


class Tokenizer:
    """Numbers the words of texts from 1 on, the most frequent first; 0 is left for padding.

    Args:
        num_words: Only words with a number below this one come out.
        filters: Characters to leave out.
        lower: Take capital letters for small ones.
        split: What separates words.
        char_level: Number characters instead of words.
        oov_token: Stands for words without a number, with the number 1; None: these are left out.
        analyzer: Called with a text in place of `text_to_word_sequence`.
        document_count: Texts counted before.
        nb_words: The older name of `num_words`.
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], list[str]] | None = None,
        *,
        document_count: int = 0,
        nb_words: int | None = None,
    ):
        if nb_words is not None:
            warnings.warn("Tokenizer: write num_words for nb_words", stacklevel=2)
        self.num_words = num_words if nb_words is None else nb_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.document_count = document_count
        self.word_counts: dict[str, int] = OrderedDict()  # in the order in which the words come
        self.word_docs: dict[str, int] = Counter()
        self.index_docs: dict[int, int] = Counter()
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Counts the words of texts (strings, or lists of words) and numbers them anew.

        With `char_level`, one string is as many texts as it has characters.
        """
        for text in self._texts("fit_on_texts", texts):
            words = self._words(text)
            self.document_count += 1
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            self.word_docs.update(set(words))  # type: ignore[arg-type]
        ordered = sorted(self.word_counts, key=lambda word: -self.word_counts[word])
        numbered = ordered if self.oov_token is None else [self.oov_token, *ordered]
        self.word_index = {word: number for number, word in enumerate(numbered, 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        dict.update(self.index_docs, {self.word_index[word]: count for word, count in self.word_docs.items()})

    def fit_on_sequences(self, sequences: Sequence[Iterable[int]]) -> None:
        """Counts in how many lists of numbers each number occurs, for "tfidf" without `fit_on_texts`."""
        self.document_count += len(sequences)
        for numbers in sequences:
            self.index_docs.update(set(numbers))  # type: ignore[arg-type]

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """Returns the numbers of the words of each text."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """Returns what `texts_to_sequences` does, one by one."""
        given = self._texts("texts_to_sequences", texts)
        return (self._kept(map(self.word_index.get, self._words(text))) for text in given)

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """Returns the words of each list of numbers, with spaces between."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """Returns what `sequences_to_texts` does, one by one."""
        known = ((number if number in self.index_word else None for number in numbers) for numbers in sequences)
        return (" ".join(self.index_word[number] for number in self._kept(numbers)) for numbers in known)

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> np.ndarray:
        """Returns what `sequences_to_matrix` makes of the texts."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Sequence[Sequence[int]], mode: str = "binary") -> np.ndarray:
        """Returns float64 (len(sequences), num_words): a row for each list of numbers, a column for each word.

        Args:
            sequences: From `texts_to_sequences`.
            mode: "binary" for 1 where the word occurs, "count" for how often, "freq" for its share in the list, "tfidf"
                for `(1 + log(count)) * log(1 + texts / (1 + texts with the word))`.

        Raises:
            ValueError: For another mode, or before `fit_on_texts` without `num_words`.
        """
        one_of("sequences_to_matrix", "mode", mode, ("binary", "count", "freq", "tfidf"))
        if not (self.num_words or self.word_index):
            raise ValueError(expected("sequences_to_matrix", "num_words, or fit_on_texts before it", "neither"))
        size = self.num_words or len(self.word_index) + 1
        counts = np.zeros((len(sequences), size))
        rows = np.repeat(np.arange(len(sequences)), [len(numbers) for numbers in sequences])
        columns = np.fromiter((index(number) for numbers in sequences for number in numbers), np.intp)
        np.add.at(counts, (rows[columns < size], columns[columns < size]), 1)
        if mode == "count":
            return counts
        if mode == "binary":
            return np.minimum(counts, 1, out=counts)
        if mode == "freq":
            return counts / np.array([[max(len(numbers), 1)] for numbers in sequences])
        texts = np.array([self.index_docs.get(number, 0) for number in range(size)])
        weights = np.log(1 + self.document_count / (1 + texts))
        return np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * weights

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, without `analyzer`, and the words and numbers, each table as JSON."""
        tables = {
            "word_counts": self.word_counts,
            "word_docs": self.word_docs,
            "index_docs": self.index_docs,
            "index_word": self.index_word,
            "word_index": self.word_index,
        }
        options = {name: getattr(self, name) for name in _OPTIONS}
        options["document_count"] = self.document_count
        return options | {name: json.dumps(table) for name, table in tables.items()}

    def to_json(self, **kwargs: Any) -> str:
        """Returns what `tokenizer_from_json` makes a tokenizer of; keywords are those of `json.dumps`."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)

    def _texts(self, who: str, texts: Iterable[Any]) -> Iterable[Any]:
        """Returns the texts; ValueError for one string, whose characters would be taken for texts of words."""
        if isinstance(texts, str) and not self.char_level:
            raise ValueError(expected(who, "a list of texts", "one text", "put it into a list"))
        return texts

    def _words(self, text: Any) -> list[str]:
        if self.char_level and isinstance(text, str):
            return list(text.lower() if self.lower else text)  # some small letters are two characters
        if self.char_level or isinstance(text, list):
            return [part.lower() if self.lower else part for part in text]
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def _kept(self, numbers: Iterable[int | None]) -> list[int]:
        unknown = self.word_index.get(self.oov_token) if self.oov_token is not None else None
        limit = self.num_words or len(self.word_index) + 1
        if unknown is None:
            return [number for number in numbers if number is not None and number < limit]
        return [unknown if number is None or number >= limit else number for number in numbers]


_OPTIONS = ("num_words", "filters", "lower", "split", "char_level", "oov_token")


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """Returns the tokenizer that `to_json` wrote, Keras's too."""
    config = json.loads(json_string)["config"]
    tokenizer = Tokenizer(**{name: config[name] for name in _OPTIONS})
    tokenizer.document_count = config["document_count"]
    tokenizer.word_counts = OrderedDict(json.loads(config["word_counts"]))
    tokenizer.word_docs = Counter(json.loads(config["word_docs"]))
    tokenizer.word_index = json.loads(config["word_index"])
    tokenizer.index_word = {number: word for word, number in tokenizer.word_index.items()}
    tokenizer.index_docs = Counter({int(number): count for number, count in json.loads(config["index_docs"]).items()})
    return tokenizer


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
