"""What must hold for any input, not only for the ones that somebody thought of (hypothesis)."""

import dataclasses

import numpy as np
import pytest
from bundles import read, run, written
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import wasserstein_distance

from smile import InputError
from smile.method import design, distance, surrogate, units

settings.register_profile(
    "smile", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("smile")
FEW = settings(max_examples=15)
UNIT = st.floats(-1, 1, width=32)
TEXTS = st.text(max_size=80)
SAID = st.lists(st.sampled_from("snow night rain at the in make it 雪 ❄ <b> =1+1".split()), min_size=1, max_size=6)


# Words


@given(TEXTS)
def test_an_instruction_is_words_or_one_sentence(text):
    try:
        found = units.words(text)
    except InputError as error:
        assert len(str(error).splitlines()) == 1 and str(error).endswith((".", '".'))
        return
    assert 1 <= len(found) <= 64 and " ".join(found).split() == found == units.words(" ".join(found))


@given(SAID, st.data())
def test_a_text_is_the_kept_words_in_their_order(words, data):
    mask = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    text = units.perturbed(words, mask)
    assert text.split() == [word for word, kept in zip(words, mask, strict=True) if kept]
    assert units.perturbed(words, [True] * len(words)) == " ".join(words)


# Designs


@given(st.integers(1, 24), st.integers(2, 64), st.sampled_from(["balanced", "random"]), st.integers(0, 2**32 - 1))
def test_a_design_begins_with_the_full_text_and_tells_the_words_apart(k, edits, kind, seed):
    try:
        mask = design.choose(k, edits, kind, seed)
    except InputError:
        assume(False)
    assert mask.dtype == bool and mask.shape[1] == k and mask[0].all() and len(mask) <= max(edits, 2)
    assert np.array_equal(mask, design.choose(k, edits, kind, seed))
    if kind == "balanced":
        assert np.linalg.matrix_rank(np.column_stack([np.ones(len(mask)), mask])) == k + 1


@given(st.integers(1, 8))
def test_an_exhaustive_design_has_every_text_once(k):
    mask = design.choose(k, 2**k, "exhaustive")
    assert len({tuple(row) for row in mask.tolist()}) == len(mask) == 2**k and mask[0].all()


# Distances


def vectors(size):
    return arrays(np.float64, size, elements=UNIT)


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(*[vectors(n)] * 3)))
def test_wasserstein_is_scipys_and_a_metric_of_heaps(three):
    u, v, w = three
    assert distance.wasserstein(u, v) == pytest.approx(wasserstein_distance(u, v), abs=1e-9)
    axioms(distance.wasserstein, u, v, w)
    assert distance.wasserstein(u, np.random.default_rng(0).permutation(u)) == pytest.approx(0, abs=1e-9)


@given(st.tuples(st.integers(1, 5), st.integers(1, 6)).flatmap(lambda shape: st.tuples(*[vectors(shape)] * 2)))
def test_patches_is_not_negative_symmetric_and_zero_of_the_same(two):
    u, v = (each + 2 for each in two)  # none of length zero
    assert distance.patches(u, u) == pytest.approx(0, abs=1e-6)
    assert distance.patches(u, v) >= -1e-9 and distance.patches(u, v) == pytest.approx(distance.patches(v, u), abs=1e-9)


@given(st.integers(2, 12).flatmap(lambda n: st.tuples(*[vectors(n)] * 2)), st.floats(0.1, 10))
def test_cosine_is_of_directions_only(two, scale):
    u, v = (each + 2 for each in two)
    assert -1e-9 <= distance.cosine(u, v) <= 2 + 1e-9
    assert distance.cosine(u, v) == pytest.approx(distance.cosine(v, u), abs=1e-9)
    assert distance.cosine(u, scale * v) == pytest.approx(distance.cosine(u, v), abs=1e-9)


def axioms(metric, u, v, w):
    assert metric(u, u) == pytest.approx(0, abs=1e-9) and metric(u, v) >= 0
    assert metric(u, v) == pytest.approx(metric(v, u), abs=1e-9)
    assert metric(u, w) <= metric(u, v) + metric(v, w) + 1e-9


# The surrogate

KEEP = design.choose(4, 16)
ONES = np.ones(len(KEEP))


def fitted(response, mask=KEEP, weight=ONES, **options):
    return surrogate.fit(mask, response, weight, permutations=99, **options)


RESPONSES = arrays(np.float64, len(KEEP), elements=st.floats(0, 1, width=32))


@example(np.r_[0.0, 0.0, np.ones(14)], 0.25, 0.5)  # words of weight 0, which is rounded
@given(RESPONSES, st.sampled_from([0.25, 0.5]), st.floats(0, 0.5, width=32))
def test_scaling_and_shifting_the_response_scales_the_weights_and_changes_no_p_value(response, scale, shift):
    assume(np.ptp(response) > 1e-3)
    one, other = fitted(response), fitted(scale * response + shift)
    assert np.allclose(other.weights, scale * one.weights, atol=1e-9)
    assert np.allclose(other.p_values, one.p_values, atol=0.021)  # ties of rounded sums may fall on either side


@given(RESPONSES, st.permutations(range(4)))
def test_the_order_of_the_words_does_not_matter(response, order):
    one, other = fitted(response), fitted(response, KEEP[:, order])
    assert np.allclose(other.weights, one.weights[list(order)], atol=1e-9) and np.isclose(other.intercept, one.intercept)


@given(st.floats(0, 1, width=32), st.sampled_from(["linear", "ridge", "bayesian"]))
def test_where_nothing_changes_no_word_did_it(value, kind):
    one = fitted(np.full(len(KEEP), value), kind=kind)
    assert np.allclose(one.weights, 0, atol=1e-9) and not (np.nan_to_num(one.p_values_holm, nan=1) < 0.05).any()


@given(RESPONSES, st.floats(0.1, 1))
def test_locality_weights_count_in_proportion(response, scale):
    one, other = fitted(response), fitted(response, weight=scale * ONES)
    assert np.allclose(one.weights, other.weights, atol=1e-9)


@given(RESPONSES)
def test_intervals_hold_the_weight_and_p_values_are_probabilities(response):
    assume(np.ptp(response) > 1e-3)
    one = fitted(response)
    assert (one.p_values > 0).all() and (one.p_values <= 1).all() and (one.p_values_holm >= one.p_values - 1e-12).all()
    known = np.isfinite(one.ci_low) & np.isfinite(one.ci_high)
    assert (one.ci_low[known] <= one.weights[known] + 1e-9).all() and (one.weights[known] <= one.ci_high[known] + 1e-9).all()


# Bundles


@FEW
@given(SAID, st.integers(0, 2**32 - 1), st.integers(0, 3), st.booleans())
def test_a_bundle_is_read_as_it_was_written(words, seed, noise_seeds, fails):
    try:
        made = run(" ".join(words), fail=[words[0]] if fails and len(words) > 1 else (), seed=seed, noise_seeds=noise_seeds)
    except InputError:  # words that are punctuation only
        assume(False)
    data = written(made)
    again = read(data)
    assert written(again) == data and again.to_json() == made.to_json()
    for one, other in zip([made.image, *made.edits], [again.image, *again.edits], strict=True):
        assert (one is None) == (other is None) and (one is None or one.tobytes() == other.tobytes())
    assert dataclasses.replace(again, seconds={}).to_json() == dataclasses.replace(made, seconds={}).to_json()


@FEW
@given(st.data())
def test_a_bundle_with_another_byte_is_refused_or_the_same(data):
    held = bytearray(WHOLE)
    at = data.draw(st.integers(0, len(held) - 1))
    held[at] ^= data.draw(st.integers(1, 255))
    try:
        again = read(bytes(held))
    except InputError as error:
        assert len(str(error).splitlines()) == 1
        return
    assert again.to_json() == read(WHOLE).to_json()


@FEW
@given(st.binary(max_size=300))
def test_any_bytes_are_one_sentence(data):
    with pytest.raises(InputError):
        read(data)


@FEW
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"II*\0"]),
)
def test_any_bytes_are_no_picture_or_a_sound_one(tmp_path_factory, data, start):
    from smile.io.images import open_picture

    path = tmp_path_factory.mktemp("any") / "x.png"
    path.write_bytes(start + data)
    try:
        assert open_picture(path).mode == "RGB"
    except InputError as error:
        assert len(str(error).splitlines()) == 1


WHOLE = written(run("snow night"))
