"""Names and stock sentences of generated products. No attribute of the vocabulary may occur in them."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


BRAND_STARTS = _words(
    "Vel, Dro, Quin, Zar, Mor, Tel, Bri, Kas, Lun, Fen, Hal, Jor, Nem, Ost, Pra, Sel, Thi, Ul, Wex, Yar, Cal, Em, Gri"
)
BRAND_MIDDLES = _words("a, e, i, o, u, ae, ia, eo, an, or, il, en")
BRAND_ENDS = _words(
    "mora, dine, vista, quell, thorn, lex, nova, brook, wyn, dell, tris, zen, field, mont, ria, bex, gard, lume"
)
SERIES = _words(
    "Solace, Meridian, Aspect, Tundra, Cadence, Harbor, Juniper, Keystone, Lattice, Motif, Nimbus, Orchard, Prelude, "
    "Quarry, Ridge, Summit, Tempo, Umbra, Vertex, Willow, Zephyr, Anthem, Beacon, Cascade, Drift, Ember, Folio, Grove"
)

# {attribute}, {attributes}, {noun} and {name} (brand and series) are filled in.
BULLETS = {
    "": (
        "{attribute}: the first thing our customers mention",
        "Key feature: {attribute}",
        "{attribute}, as promised on the label",
    ),
    "with": ("Comes with {attribute}", "{attribute} included", "Now with {attribute}"),
    "for": ("Made for {attribute}", "Our pick for {attribute}", "Works well for {attribute}"),
}
DESCRIPTIONS = {
    "": ("At a glance: {attributes}.", "In short: {attributes}.", "What you get: {attributes}."),
    "with": ("It comes with {attributes}.", "You will find it with {attributes}."),
    "for": ("It was designed for {attributes}.", "We recommend it for {attributes}."),
}
OPENINGS = (
    "Meet the {name} {noun}, the result of two years of patient testing.",
    "Nobody here would part with the {name} {noun} again.",
    "We launched the {name} {noun} last spring, and it has sold out twice since.",
    "Simple, honest and dependable: the {name} {noun}.",
)
FILLERS = (
    "A thoughtful present for birthdays and holidays",
    "Backed by our one year guarantee",
    "Ships within two working days",
    "Questions? Our team answers within a day",
    "Inspected by hand before it leaves the warehouse",
    "Thousands of happy owners",
)
REVIEWS = (
    (5.0, "Exactly what I hoped", "Arrived on time and does what it says. I would order it again."),
    (4.0, "Good value", "Good quality for what I paid. The parcel was a little battered."),
    (3.0, "It is fine", "Does the job. I expected a bit more after reading the page."),
    (5.0, "Second one I bought", "My sister wanted one after she had seen mine."),
    (2.0, "Not for me", "I should have read the features more carefully before ordering."),
    (4.0, "Happy so far", "Three weeks in and no complaints."),
)
TITLES = ("{name} {before} {noun} {after}", "{name} {noun} {after}, {before}", "{before} {noun} {after} by {name}")
