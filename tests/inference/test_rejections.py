"""The list of what is refused, row by row: one request each, refused at its place in helpful words.

Rows are numbered as in the published list; where this package decides otherwise (tracks without a prompt, any
length, per-bar wishes, several tracks per step) the test says so.
"""

# ruff: noqa: E501 - one row of the list per line

from __future__ import annotations

import json

import pytest

from midigpt_nb.errors import RequestValidationError
from midigpt_nb.inference import GenerationRequest, TrackPrompt, validate_request
from midigpt_nb.score.model import Bar, Score, Track
from midigpt_nb.tokenizer import Tokenizer

from .conftest import make_score
from .refusals import CONFIGS, OK, control, model, positions, problems, track

POS = "tracks[0].controls['rhythm_mask']['positions']"
PITCH = "tracks[0].controls['pitch_mask']"
REMIX = "tracks[0].controls['remix']"


@pytest.mark.parametrize("score", [None, "song.mid", GenerationRequest([OK])])
def test_what_is_no_score_is_named_and_not_looked_into(score):
    with pytest.raises(
        RequestValidationError, match=r"^score: is not a score .*allowed: a Score; Score.from_midi"
    ):
        validate_request(GenerationRequest([OK]), score, model().config)


SETTINGS = [
    (1, {"model_dim": 5}, "config.model_dim", "4, 8, 12, 16"),
    (1, {"model_dim": "wide"}, "config.model_dim", "or 'auto'"),
    (2, {"bars_per_step": -1}, "config.bars_per_step", ">= 0"),
    (2, {"bars_per_step": 5}, "config.bars_per_step", "wider than the window"),
    (3, {"tracks_per_step": -1}, "config.tracks_per_step", ">= 0"),
    (4, {"ar_overlap": 1.0}, "config.ar_overlap", "< 1"),
    (4, {"ar_overlap": -0.1}, "config.ar_overlap", ">= 0"),
    (5, {"context": "some"}, "config.context", "'auto', 'listed', 'all'"),
    (6, {"context_drop": [9]}, "config.context_drop", "no such track"),
    (6, {"context_keep": [-1]}, "config.context_keep", "no such track"),
    (7, {"budget_margin": 0.9}, "config.budget_margin", ">= 1"),
    (7, {"min_overlap_bars": -1}, "config.min_overlap_bars", ">= 0"),
    (7, {"max_attempts": 0}, "config.max_attempts", ">= 1"),
    (7, {"num_candidates": 0}, "config.num_candidates", ">= 1"),
    (7, {"num_candidates": 17}, "config.num_candidates", "<= 16"),
    (7, {"temperature": 0}, "config.temperature", "> 0"),
    (8, {"infill_probability": 0}, "config.infill_probability", "> 0"),
    (8, {"infill_probability": 1.1}, "config.infill_probability", "<= 1"),
    (8, {"temperature_escalation": 0.9}, "config.temperature_escalation", ">= 1"),
    (9, {"top_p": 0}, "config.top_p", "> 0"),
    (9, {"top_p": 1.1}, "config.top_p", "<= 1"),
    (9, {"novelty_threshold": 0}, "config.novelty_threshold", "> 0"),
    (9, {"mask_p": 1}, "config.mask_p", "< 1"),
    (9, {"mask_p": -0.1}, "config.mask_p", ">= 0"),
    (9, {"top_k": -1}, "config.top_k", ">= 0"),
    (9, {"mask_k": -1}, "config.mask_k", ">= 0"),
    (10, {"mask_p": 0.5, "top_p": 0.5}, "config.mask_p", "all that top_p keeps"),
    (10, {"mask_k": 3, "top_k": 3}, "config.mask_k", "all that top_k keeps"),
    ("d17", {"mask_mode": "tokn"}, "config.mask_mode", "did you mean 'token'?"),
    ("new", {"polyphony_hard_limit": -1}, "config.polyphony_hard_limit", ">= 0"),
    ("new", {"sounding_limit": -1}, "config.sounding_limit", ">= 0"),
    ("new", {"max_note_beats": -1}, "config.max_note_beats", ">= 0"),
    ("new", {"note_end": "bars"}, "config.note_end", "did you mean 'bar'?"),
    ("new", {"allow_empty": 1}, "config.allow_empty", "True, False"),
    ("new", {"adherence": "srict"}, "config.adherence", "did you mean 'strict'?"),
    ("new", {"max_tokens": -1}, "config.max_tokens", ">= 0"),
    ("new", {"max_seconds": float("inf")}, "config.max_seconds", "a number >= 0"),
]


@pytest.mark.parametrize(
    ("config", "path", "words"),
    [
        pytest.param(*case, id=f"row {row} {next(iter(case[0]))} {i}")
        for i, (row, *case) in enumerate(SETTINGS)
    ],
)
def test_settings(config, path, words):
    (found,) = problems(OK, **config)
    assert found.startswith(f"{path}: ") and words in found


PROMPTS = [
    (15, [], "tracks", "there is nothing to do"),
    (16, [OK, TrackPrompt(0, [2])], "tracks[1].id", "already has a prompt"),
    (16, [OK, TrackPrompt(-1, [2])], "tracks[1].id", "0..2"),
    (16, [OK, TrackPrompt(3, [2])], "tracks[1].id", "adds a track"),
    (17, [OK, TrackPrompt(1, autoregressive=True, ignore=True)], "tracks[1].ignore", "cannot be continued"),
    (17, [OK, TrackPrompt(1, [2], ignore=True)], "tracks[1].bars", "cannot be written"),
    (18, [track(bars=[8])], "tracks[0].bars", "0..7; autoregressive=True adds bars"),
    (18, [track(bars=[-1])], "tracks[0].bars", "there are no such bars"),
    (19, [OK, TrackPrompt(1, mask_bars=[1], ignore=True)], "tracks[1].mask_bars", "not shown anyway"),
    (19, [track(mask_bars=[8])], "tracks[0].mask_bars", "there are no such bars"),
    (19, [track(mask_bars=[1])], "tracks[0].mask_bars", "to be written"),
    (20, [track(bars=[4, 5], autoregressive=True)], "tracks[0].bars", "to the end"),
    (20, [track(bars=[4, 6, 7], autoregressive=True)], "tracks[0].bars", "without gaps"),
    (20, [track(bars=[6, 6, 7], autoregressive=True)], "tracks[0].bars", "or repeats"),
    ("u13", [track(bars=[9, 10], autoregressive=True)], "tracks[0].bars", "without gaps"),
    ("u13", [track(bars=list(range(5, 265)), autoregressive=True)], "tracks[0].bars", "adds 256 bars at most"),
    (22, [track(attributes={"note_densty": 1})], "tracks[0].attributes['note_densty']", "did you mean 'note_density'?"),
    (22, [track(attributes={"bar_note_density": 1})], "tracks[0].attributes['bar_note_density']", "bar_attributes"),
    (22, [track(attributes={"note_density": 10})], "tracks[0].attributes['note_density']", "0..9"),
    (22, [track(attributes={"note_density": -1})], "tracks[0].attributes['note_density']", "0..9"),
    (22, [OK, TrackPrompt(1, attributes={"pitch": 1})], "tracks[1].attributes['pitch']", "did you mean 'pitch_range'?"),
    (22, [OK, TrackPrompt(1, ignore=True, attributes={"x": 1})], "tracks[1].attributes['x']", "allowed: note_density, "),
    ("m20", [track(id=2, attributes={"max_polyphony": 1})], "tracks[0].attributes['max_polyphony']", "the control polyphony_hard_limit"),
    ("m20", [track(id=2, bar_attributes={1: {"max_polyphony": 1}})], "tracks[0].bar_attributes[1]['max_polyphony']", "is for melodic tracks, this one is drum"),
    (23, [track(bar_attributes={8: {"note_density": 1}})], "tracks[0].bar_attributes[8]", "not written"),
    (23, [track(bar_attributes={2: {"note_density": 1}})], "tracks[0].bar_attributes[2]", "not written"),
    (23, [track(bar_attributes={1: {"density": 1}})], "tracks[0].bar_attributes[1]['density']", "no such attribute"),
    (23, [track(bar_attributes={1: {"note_density": 10}})], "tracks[0].bar_attributes[1]['note_density']", "0..9"),
    ("d32", [track(bar_attributes={1: {"pitch_class_set": 3}})], "tracks[0].bar_attributes[1]['pitch_class_set']", "pitch_mask={'pitch_classes'"),
    (24, [track(bar_controls={8: {"time_signature": 0}})], "tracks[0].bar_controls[8]", "not written"),
    (24, [track(bar_controls={2: {"time_signature": 0}})], "tracks[0].bar_controls[2]", "not written"),
    (24, [track(bar_controls={1: {"pich_mask": {}}})], "tracks[0].bar_controls[1]['pich_mask']", "did you mean 'pitch_mask'?"),
    (24, [track(bar_controls={1: {"time_signature": 36}})], "tracks[0].bar_controls[1]['time_signature']", "0..35"),
    (24, [track(bar_controls={1: {"time_signature": 1}})], "tracks[0].bar_controls[1]['time_signature']", "not the metre of the bars"),
    (24, [track(bar_controls={1: {"velocity": True}})], "tracks[0].bar_controls[1]['velocity']", "belongs to the piece"),
    ("u12", [track(bar_controls={1: {"pitch_mask": {"pitches": [200]}}})], "tracks[0].bar_controls[1]['pitch_mask']['pitches']", "0..127"),
    (25, [control(time_sig=0)], "tracks[0].controls['time_sig']", "did you mean 'time_signature'?"),
    (25, [control(time_signature=-1)], "tracks[0].controls['time_signature']", "0..35"),
    (25, [control(time_signature=True)], "tracks[0].controls['time_signature']", "4/4, 3/4, 2/4, 6/8"),
    ("metre", [control(time_signature="19/16")], "tracks[0].controls['time_signature']", "does not know this metre"),
    (26, [OK, TrackPrompt(1, ignore=True, controls={"pitch_mask": {}})], "tracks[1].controls", "an ignored track is not written"),
    (26, [control(pitch_mask=[60])], PITCH, "a dict with pitches, scale"),
    (26, [control(pitch_mask={"pitchs": [60]})], f"{PITCH}['pitchs']", "did you mean 'pitches'?"),
    (26, [control(pitch_mask={"pitches": [60, 128]})], f"{PITCH}['pitches']", "(given [128], for track 0"),
    (26, [control(pitch_mask={"pitches": 60})], f"{PITCH}['pitches']", "a list of pitches"),
    (26, [control(pitch_mask={"pitches": []})], f"{PITCH}['pitches']", "no pitch is left"),
    (26, [control(pitch_mask={"scale": "majr"})], f"{PITCH}['scale']", "did you mean 'major'?"),
    (26, [control(pitch_mask={"scale": "major", "root": "H"})], f"{PITCH}['root']", "C, C#"),
    (26, [control(pitch_mask={"scale": "major", "pitch_classes": [0]})], PITCH, "exclude each other"),
    (26, [control(pitch_mask={"pitch_classes": []})], f"{PITCH}['pitch_classes']", "no pitch is left"),
    (26, [control(pitch_mask={"pitch_classes": ["C", "Q"]})], f"{PITCH}['pitch_classes']", "a list of notes"),
    (26, [control(pitch_mask={"pitches": [60], "range": [61, 70]})], PITCH, "no pitch is left by 'pitches' and 'range'"),
    (26, [control(pitch_mask={"range": "bas voice"})], f"{PITCH}['range']", "did you mean 'bass voice'?"),
    (26, [control(pitch_mask={"range": [70, 60]})], f"{PITCH}['range']", "[lowest, highest]"),
    (26, [control(pitch_mask={"shape": {}})], f"{PITCH}['shape']", "a dict with 'type'"),
    (26, [control(pitch_mask={"shape": {"type": "gauss"}})], f"{PITCH}['shape']['type']", "'uniform', 'normal'"),
    (26, [control(pitch_mask={"shape": {"type": "uniform", "min": 9, "max": 8}})], f"{PITCH}['shape']", "min <= max"),
    (26, [control(pitch_mask={"shape": {"type": "normal", "mean": "C"}})], f"{PITCH}['shape']['mean']", "a number"),
    (26, [control(pitch_mask={"shape": {"type": "normal", "min": 3}})], f"{PITCH}['shape']['min']", "no such entry"),
    (26, [control(pitch_mask={"shape": {"type": "normal", "std": -1}})], f"{PITCH}['shape']['std']", ">= 0"),
    ("d12", [control(pitch_mask={"pitches": [60], "shape": {"type": "uniform", "min": 70}})], f"{PITCH}['shape']", "none of the allowed pitches (60..60) lies in 70..127"),
    (27, [control(rhythm_mask=3)], "tracks[0].controls['rhythm_mask']", "a dict with positions, grid"),
    (27, [control(rhythm_mask={})], "tracks[0].controls['rhythm_mask']", "'positions' or 'grid'"),
    (27, [control(rhythm_mask={**positions((0, 1)), "grid": {"unit": "half"}})], "tracks[0].controls['rhythm_mask']", "one of its two kinds"),
    (27, [control(rhythm_mask={**positions((0, 1)), "swing": 1})], "tracks[0].controls['rhythm_mask']['swing']", "positions, grid"),
    (27, [control(rhythm_mask={"positions": []})], POS, "at least one onset"),
    (27, [control(rhythm_mask=positions((-1, 1)))], f"{POS}[0]['pos']", "0..191"),
    (27, [control(rhythm_mask=positions((192, 1)))], f"{POS}[0]['pos']", "0..191; 12 ticks are a quarter note"),
    (27, [control(rhythm_mask=positions((0, 0)))], f"{POS}[0]['polyphony']", ">= 1"),
    (27, [control(rhythm_mask=positions((0, 1), (0, 2)))], f"{POS}[1]['pos']", "each position once"),
    (27, [control(rhythm_mask={"positions": [{"polyphony": 2}]})], f"{POS}[0]", "{'pos': 0}"),
    (27, [control(rhythm_mask={"grid": {"unit": "eigth"}})], "tracks[0].controls['rhythm_mask']['grid']['unit']", "did you mean 'eighth'?"),
    (27, [control(rhythm_mask={"grid": {"unit": "half", "strength": 2}})], "tracks[0].controls['rhythm_mask']['grid']['strength']", "<= 1"),
    (27, [control(rhythm_mask={"grid": {}})], "tracks[0].controls['rhythm_mask']['grid']", "'unit' and 'strength'"),
    (28, [control(remix=0.5)], REMIX, "a dict with amount, mode"),
    (28, [control(remix={})], f"{REMIX}['amount']", "> 0 and <= 1"),
    (28, [control(remix={"amount": 0})], f"{REMIX}['amount']", "> 0 and <= 1"),
    (28, [control(remix={"amount": 0.5, "mode": "fll"})], f"{REMIX}['mode']", "did you mean 'full'?"),
    (28, [control(remix={"amount": 0.5, "amout": 1})], f"{REMIX}['amout']", "did you mean 'amount'?"),
    (28, [control(remix={"amount": 0.5}, rhythm_mask=positions((0, 1)))], REMIX, "one of the two"),
    (29, [track(bars=[])], "tracks", "no bar is asked for"),
    ("u13", [TrackPrompt(0, autoregressive=True, new={})], "tracks[0].id", "numbered on from the last one"),
    ("u13", [OK, TrackPrompt(4, autoregressive=True, new={})], "tracks[1].id", "allowed: 3"),
    ("u13", [OK, TrackPrompt(3, new={})], "tracks[1].bars", "autoregressive=True writes all of it"),
    ("u13", [OK, TrackPrompt(3, ignore=True, new={})], "tracks[1].ignore", "holds nothing yet"),
    ("case", [control(pitch_mask={"scale": "Pentatonic"})], f"{PITCH}['scale']", "did you mean 'major_pentatonic' or 'minor_pentatonic'?"),
    ("case", [control(pitch_mask={"range": "Flute"})], f"{PITCH}['range']", "did you mean 'flute'?"),
    ("u13", [TrackPrompt(3, autoregressive=True, new={"instrument": 128})], "tracks[0].new['instrument']", "0..127"),
    ("u13", [TrackPrompt(3, autoregressive=True, new={"instrument": "Violn"})], "tracks[0].new['instrument']", "did you mean 'Violin'?"),
    ("u13", [TrackPrompt(3, autoregressive=True, new={"track_type": "drums"})], "tracks[0].new['track_type']", "did you mean 'drum'?"),
    ("u13", [TrackPrompt(3, autoregressive=True, new={"instument": 3})], "tracks[0].new['instument']", "did you mean 'instrument'?"),
    ("limits", [control(sounding_limit=-1)], "tracks[0].controls['sounding_limit']", ">= 0"),
    ("limits", [control(note_end="piec")], "tracks[0].controls['note_end']", "did you mean 'piece'?"),
    ("limits", [control(allow_empty=None)], "tracks[0].controls['allow_empty']", "True, False"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("tracks", "path", "words"),
    [pytest.param(*case, id=f"row {row} case {i}") for i, (row, *case) in enumerate(PROMPTS)],
)
def test_prompts(tracks, path, words):
    found = [p for p in problems(*tracks) if "no bar is asked for" not in p or path == "tracks"]
    assert len(found) == 1, found
    assert found[0].startswith(f"{path}: ") and words in found[0], found[0]


def test_row_11_the_score_has_tracks_of_equal_length():
    assert any("has no tracks" in p for p in problems(OK, score=Score([])))
    assert any("has no bars" in p for p in problems(OK, score=Score([Track([])])))
    uneven = Score([Track([Bar(), Bar()]), Track([Bar()])])
    assert any("differ in their number of bars" in p for p in problems(OK, score=uneven))
    assert problems(TrackPrompt(0, [0]), score=make_score(1, 1)) == [], "shorter than a window: padded"


def test_row_12_a_mode_that_the_model_lacks():
    (found,) = problems(OK, tokenizer=model("yellow"), mask_mode="token")
    assert "no token for hidden bars" in found


@pytest.mark.parametrize(
    ("name", "controls", "words"),
    [
        ("expressive", {"velocity": 1}, "True, False"),
        ("yellow", {"velocity": False}, "cannot do without loudness"),
        ("yellow", {"microtiming": True}, "writes no timing off the grid"),
        ("expressive", {"genre": 3}, "there is no such genre"),
        ("expressive", {"genre": "jaz"}, "did you mean 'jazz'?"),
        ("yellow", {"genre": "jazz"}, "knows no genres"),
        ("expressive", {"tempo": 120}, "there is no such control"),
        ("expressive", {"pitch_mask": {}}, "belongs to the track or bar"),
        ("yellow", {"velocty": True}, "there is no such control"),
    ],
)
def test_row_13_controls_of_the_piece(name, controls, words):
    (found,) = problems(OK, tokenizer=model(name), controls=controls)
    assert words in found
    for fine in ({"velocity": False, "microtiming": False, "genre": "JAZZ"}, {"velocity": True}):
        assert problems(OK, tokenizer=model("expressive"), controls=fine) == []
    assert problems(OK, tokenizer=model("yellow"), controls={"velocity": True, "microtiming": False}) == []


def test_row_14_and_u4_metres_matter_only_where_a_window_needs_them():
    """Validation takes the score; the plan refuses a window over such a bar (see the planning tests)."""
    assert problems(OK, score=make_score(1, 8, metres=((4, 4), (13, 16)))) == []


def test_row_15_d33_tracks_without_a_prompt_are_context():
    assert problems(TrackPrompt(2, [1])) == []


def test_row_18_d24_the_callers_request_is_never_changed():
    request = GenerationRequest(
        [TrackPrompt(0, [], autoregressive=True), TrackPrompt(3, new={}, autoregressive=True)]
    )
    before = request.copy()
    tokenizer = model()
    checked = validate_request(request, make_score(), tokenizer.config, tokenizer.analyzer)
    assert request == before
    assert checked.tracks[0].bars == checked.tracks[1].bars == list(range(8))
    assert checked.tracks[1].new == {"instrument": 0, "track_type": "melodic"}


def test_row_20_duplicates_in_infill_and_any_order_in_a_continuation():
    assert problems(track(bars=[2, 1, 2])) == []
    assert problems(track(bars=[7, 5, 6], autoregressive=True)) == []


@pytest.mark.parametrize("bars", [range(4, 12), range(8, 9), range(8, 264), range(0, 9)])
def test_u13_a_continuation_may_go_on_past_the_end(bars):
    assert problems(track(bars=list(bars), autoregressive=True)) == []


def test_u13_new_tracks_have_a_name_or_number_for_their_instrument():
    tokenizer = model()
    new = [
        TrackPrompt(4, autoregressive=True, new={"instrument": "violin"}, attributes={"max_polyphony": 0}),
        TrackPrompt(3, autoregressive=True, new={"track_type": "drum"}),
    ]
    checked = validate_request(GenerationRequest(new), make_score(), tokenizer.config, tokenizer.analyzer)
    assert [p.new for p in checked.tracks] == [
        {"instrument": 40, "track_type": "melodic"},
        {"instrument": 0, "track_type": "drum"},
    ]
    new[1].attributes = {"max_polyphony": 0}
    assert "this one is drum" in problems(*new)[0]


def test_row_21_bars_marked_as_future_are_not_written():
    score = Score([Track([Bar(), Bar(future=True), Bar(), Bar()])])
    for asked in (track(), track(bars=[], autoregressive=True)):
        assert any("marks these bars as future" in p for p in problems(asked, score=score))


def test_row_24_bars_have_one_metre():
    one = TrackPrompt(0, [8], autoregressive=True, controls={"time_signature": 0})
    other = TrackPrompt(1, [8], autoregressive=True, controls={"time_signature": 1})
    (found,) = problems(one, other)
    assert "bar 8 cannot have two metres" in found


def test_row_25_d10_another_metre_needs_all_tracks_of_the_bars():
    every = [TrackPrompt(t, autoregressive=True, controls={"time_signature": 1}) for t in range(3)]
    assert problems(*every) == []
    assert "is not the metre" in problems(*every[:2])[0]
    infilled = TrackPrompt(2, list(range(8)), controls={"time_signature": 1})
    assert len(problems(*every[:2], infilled)) == 3


def test_row_26_an_empty_mask_does_nothing_and_is_accepted():
    assert problems(control(pitch_mask={})) == []


def test_rows_27_28_d27_several_tracks_per_step_are_no_reason_to_refuse():
    both = [
        track(controls={"rhythm_mask": positions((0, 1))}),
        TrackPrompt(1, [1], controls={"remix": {"amount": 1}}),
    ]
    assert problems(*both, tracks_per_step="auto") == problems(*both, tracks_per_step=4) == []


def test_rows_27_28_a_model_without_positions():
    config = json.loads((CONFIGS / "yellow.json").read_text())
    config["token_domains"] = [
        d
        for d in config["token_domains"]
        if "TIME_ABSOLUTE" not in d["type"].upper() and "TimeAbsolute" not in d["type"]
    ]
    tokenizer = Tokenizer(config)
    for wish in ({"rhythm_mask": positions((0, 1))}, {"remix": {"amount": 1}}):
        (found,) = problems(control(**wish), tokenizer=tokenizer)
        assert "writes no positions" in found


def test_row_30_a_model_that_cannot_fill_in():
    config = json.loads((CONFIGS / "yellow.json").read_text())
    config["supports_infill"] = False
    config["token_domains"] = [d for d in config["token_domains"] if "FILL" not in d["type"].upper()]
    tokenizer = Tokenizer(config)
    (found,) = problems(OK, tokenizer=tokenizer)
    assert "cannot fill in bars" in found
    assert problems(track(bars=[], autoregressive=True), tokenizer=tokenizer) == []
