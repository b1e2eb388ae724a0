"""The words that generated products are made of: departments, product types, attributes, options, brand syllables.

Within one product type no two attributes match each other under the reward's fuzzy rule, and none occurs in a noun
or a stock sentence, so that a sibling which lacks an attribute cannot be paid for it (`tests` hold this).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

FAMILY_MAX = 6


class AttributeGroup(NamedTuple):
    """Alternatives of which a product has at most one. `joint` says how a sentence takes them up.

    `""` goes before the noun ("machine washable shirt"), `"with"` and `"for"` after it ("shirt with crew neck").
    """

    joint: Literal["", "with", "for"]
    words: tuple[str, ...]


class OptionPool(NamedTuple):
    """Values of one option; `step` is what each further value costs more, as a share of the price (0: all equal).

    `distinct`: no two values match under the reward's fuzzy rule, so that siblings may differ in this option only.
    """

    name: str
    values: tuple[str, ...]
    step: float = 0.0
    distinct: bool = False


class ProductType(NamedTuple):
    """One kind of thing. `article` and `noun` make the instruction ("a pair of" + … + "running shoes")."""

    query: str
    article: str
    noun: str
    department: str
    path: tuple[str, ...]
    prices: tuple[int, int]
    groups: tuple[AttributeGroup, ...]
    options: tuple[OptionPool, ...]


def _is(*words: str) -> AttributeGroup:
    return AttributeGroup("", words)


def _with(*words: str) -> AttributeGroup:
    return AttributeGroup("with", words)


def _for(*words: str) -> AttributeGroup:
    return AttributeGroup("for", words)


# Clothing and shoes
FABRIC = _is("cotton", "linen", "polyester", "bamboo viscose", "merino wool", "modal", "cashmere", "velvet")
CARE = _is("machine washable", "hand wash only", "dry clean only", "wrinkle resistant", "quick drying", "tumble dry")
FIT = _is("slim fit", "relaxed fit", "tailored cut", "loose fit", "athletic cut", "straight leg")
SLEEVE = _is("long sleeve", "short sleeve", "sleeveless", "raglan", "three quarter arm", "cap shoulder")
POCKET = _with("zipper pockets", "kangaroo pouch", "side slits", "drawstring waist", "hidden button", "thumb holes")
NECK = _with("crew neck", "henley collar", "mock turtleneck", "boat neckline", "scoop front", "hooded back")
SOLE = _with("rubber outsole", "memory foam insole", "arch support", "steel toe", "padded ankle", "cork footbed")
SHOE = _is("slip resistant", "breathable", "waterproof", "vegan leather", "shock absorbing", "lace up", "high top")

# Beauty
FREE = _is("paraben free", "sulfate free", "cruelty free", "oil free", "silicone free", "alcohol free", "unscented")
OIL = _with("argan oil", "aloe vera", "hyaluronic acid", "vitamin c", "shea butter", "green tea", "coconut milk")
HAIR = _for("dry hair", "curly strands", "damaged ends", "oily scalp", "fine texture", "color treated tresses")
SKIN = _for("sensitive skin", "dark circles", "fine lines", "acne prone faces", "dry patches", "uneven tone")
LASTING = _is("long lasting", "water resistant", "dermatologist tested", "fast absorbing", "travel size", "hypoallergenic")

# Grocery
DIET = _is("gluten free", "dairy free", "sugar free", "keto friendly", "low sodium", "plant based", "kosher certified")
GROWN = _is("certified organic", "non gmo", "fair trade", "small batch", "stone ground", "single origin", "slow roasted")
INSIDE = _with("real fruit", "added protein", "dietary fiber", "chia seeds", "natural sweeteners", "omega fats")
PACKED = _with("resealable bag", "individual wrapping", "gift box", "recyclable tin", "easy pour spout", "bulk carton")

# Electronics
POWER = _with("fast charging", "long battery life", "usb c port", "solar panel", "auto shutoff", "dual voltage")
SOUND = _with("noise cancellation", "deep bass", "stereo sound", "voice assistant", "built in microphone", "touch controls")
TOUGH = _is("dustproof", "shock proof", "splash proof", "ultra compact", "heavy duty", "foldable", "wall mountable")
LINK = _is("bluetooth", "plug and play", "wifi enabled", "infrared", "tangle free", "backlit", "hands free")

# Home and office
BUILD = _is("solid wood", "stainless steel", "tempered glass", "bamboo", "ceramic", "cast iron", "wicker")
SURFACE = _is("scratch resistant", "easy to clean", "dishwasher safe", "rust proof", "non stick", "fade resistant")
COMFORT = _with("adjustable height", "lumbar cushion", "storage drawer", "locking wheels", "carry handle", "non slip feet")
ROOM = _for("living room", "small apartments", "home office", "guest bedroom", "patio use", "dining nook")
WARM = _is("hypoallergenic", "oeko tex certified", "temperature regulating", "double sided", "weighted", "extra plush")
LIGHT = _with("dimmable bulb", "remote control", "motion sensor", "timer function", "warm glow", "clip base")
PAPER = _is("acid free", "recycled", "perforated", "college ruled", "spiral bound", "heavyweight")
INK = _with("quick dry ink", "fine tip", "ergonomic grip", "pocket clip", "refillable cartridge", "brush nib")

# Pets, sports, garden, baby
PET = _for("small breeds", "senior dogs", "indoor cats", "strong chewers", "puppies", "anxious pets")
PET_MADE = _is("chew proof", "grain free", "machine washable", "reflective", "veterinarian approved", "squeaky")
SPORT = _is("sweat wicking", "non toxic", "lightweight", "double insulated", "leak proof", "odor resistant", "high density")
GEAR = _with("carrying strap", "mesh pouch", "quick release buckle", "textured grip", "alignment marks", "wide mouth")
GARDEN = _is("uv protected", "frost hardy", "drought tolerant", "self watering", "rust proof", "hand painted")
OUTDOOR = _with("drainage holes", "steel frame", "wooden handle", "flexible hose", "brass nozzle", "ground stakes")
BABY = _is("bpa free", "food grade", "hand washable", "organic cotton", "flame retardant", "chlorine free")
BABY_WITH = _with("snap closure", "elastic edges", "adjustable straps", "non slip dots", "soft rattles", "removable lining")

COLOR = OptionPool(
    "color",
    (
        *("black", "white", "navy blue", "forest green", "burgundy", "mustard", "teal", "olive", "lavender", "coral"),
        *("ivory", "khaki", "bright orange", "dusty rose", "slate grey", "dark brown", "turquoise", "plum", "copper"),
        *("mint", "beige", "silver", "gold", "cherry red", "pale pink", "royal purple", "taupe", "lemon yellow"),
    ),
    distinct=True,
)
SIZE = OptionPool("size", ("x-small", "small", "medium", "large", "x-large", "xx-large", "3x-large"))
SHOE_SIZE = OptionPool("size", ("6", "6.5", "7", "7.5", "8", "8.5", "9", "9.5", "10", "11", "12"))
BED_SIZE = OptionPool("size", ("twin", "full", "queen", "king", "california extra"), 0.12)
RUG_SIZE = OptionPool("size", ("2 ft x 3 ft", "3 ft x 5 ft", "4 ft x 6 ft", "5 ft x 8 ft", "8 ft x 10 ft"), 0.3)
PACK = OptionPool("pack", ("pack of 1", "pack of 2", "pack of 3", "pack of 4", "pack of 6", "pack of 12"), 0.6)
VOLUME = OptionPool("volume", ("2 fl oz", "4 fl oz", "8 fl oz", "12 fl oz", "16 fl oz", "32 fl oz"), 0.25)
WEIGHT = OptionPool("weight", ("8 ounce", "12 ounce", "1 pound", "2 pound", "5 pound"), 0.35)
CAPACITY = OptionPool("capacity", ("16 gb", "32 gb", "64 gb", "128 gb", "256 gb", "512 gb"), 0.2)
LENGTH = OptionPool("length", ("1 ft", "3 ft", "6 ft", "10 ft", "15 ft", "25 ft"), 0.15)
FLAVOR = OptionPool(
    "flavor",
    (
        *("vanilla", "strawberry", "salted caramel", "peppermint", "lemon zest", "cinnamon", "dark chocolate", "hazelnut"),
        *("blueberry", "coconut", "maple", "ginger", "banana", "raspberry", "matcha", "pumpkin spice"),
    ),
    distinct=True,
)
SCENT = OptionPool(
    "scent",
    (
        *("lavender", "eucalyptus", "sandalwood", "jasmine", "citrus grove", "ocean breeze", "bergamot", "cedar"),
        *("rosemary", "honeysuckle", "fig leaf", "white tea", "patchouli", "vetiver"),
    ),
    distinct=True,
)
STYLE = OptionPool(
    "style",
    (
        *("classic", "modern", "vintage", "bohemian", "nautical", "industrial", "farmhouse", "tropical", "geometric"),
        *("floral", "striped", "paisley", "plaid", "abstract"),
    ),
    distinct=True,
)

_T = ProductType
TYPES: tuple[ProductType, ...] = (
    _T("men's t-shirts", "a", "men's t-shirt", "fashion", ("Clothing", "Men", "Shirts", "T-Shirts"), (9, 45), (FABRIC, CARE, FIT, NECK), (COLOR, SIZE)),
    _T("women's blouses", "a", "women's blouse", "fashion", ("Clothing", "Women", "Tops", "Blouses"), (14, 70), (FABRIC, CARE, SLEEVE, NECK), (COLOR, SIZE, STYLE)),
    _T("men's hoodies", "a", "men's hoodie", "fashion", ("Clothing", "Men", "Sweatshirts", "Hoodies"), (19, 80), (FABRIC, CARE, FIT, POCKET), (COLOR, SIZE)),
    _T("women's leggings", "a pair of", "women's leggings", "fashion", ("Clothing", "Women", "Bottoms", "Leggings"), (12, 60), (FABRIC, CARE, POCKET), (COLOR, SIZE)),
    _T("women's dresses", "a", "women's dress", "fashion", ("Clothing", "Women", "Dresses", "Casual"), (18, 120), (FABRIC, CARE, SLEEVE, POCKET), (COLOR, SIZE, STYLE)),
    _T("running shoes", "a pair of", "running shoes", "fashion", ("Shoes", "Unisex", "Athletic", "Running"), (29, 150), (SHOE, SOLE), (COLOR, SHOE_SIZE)),
    _T("work boots", "a pair of", "work boots", "fashion", ("Shoes", "Unisex", "Boots", "Work"), (49, 220), (SHOE, SOLE), (COLOR, SHOE_SIZE)),
    _T("backpacks", "a", "backpack", "fashion", ("Luggage", "Bags", "Backpacks", "Daypacks"), (19, 130), (TOUGH, POCKET, GEAR), (COLOR, STYLE)),
    _T("shampoos", "a bottle of", "shampoo", "beauty", ("Beauty", "Hair Care", "Shampoo", "Shampoos"), (5, 40), (FREE, OIL, HAIR), (SCENT, VOLUME, PACK)),
    _T("hair conditioners", "a bottle of", "hair conditioner", "beauty", ("Beauty", "Hair Care", "Conditioner", "Rinses"), (5, 40), (FREE, OIL, HAIR), (SCENT, VOLUME)),
    _T("face moisturizers", "a jar of", "face moisturizer", "beauty", ("Beauty", "Skin Care", "Face", "Moisturizers"), (8, 90), (FREE, OIL, SKIN, LASTING), (VOLUME, PACK)),
    _T("lipsticks", "a", "lipstick", "beauty", ("Beauty", "Makeup", "Lips", "Lipstick"), (4, 35), (FREE, OIL, LASTING), (COLOR, PACK)),
    _T("body lotions", "a bottle of", "body lotion", "beauty", ("Beauty", "Skin Care", "Body", "Lotions"), (6, 45), (FREE, OIL, SKIN), (SCENT, VOLUME, PACK)),
    _T("scented candles", "a", "scented candle", "home", ("Home", "Fragrance", "Candles", "Jar Candles"), (7, 50), (GROWN, PACKED, ROOM), (SCENT, COLOR)),
    _T("ground coffee", "a bag of", "ground coffee", "grocery", ("Grocery", "Beverages", "Coffee", "Ground Coffee"), (7, 45), (GROWN, PACKED, DIET), (FLAVOR, WEIGHT, PACK)),
    _T("herbal tea", "a box of", "herbal tea", "grocery", ("Grocery", "Beverages", "Tea", "Herbal Tea"), (4, 30), (GROWN, PACKED, DIET), (FLAVOR, PACK)),
    _T("granola bars", "a box of", "granola bars", "grocery", ("Grocery", "Snacks", "Bars", "Granola Bars"), (4, 35), (DIET, INSIDE, GROWN), (FLAVOR, PACK)),
    _T("protein powder", "a tub of", "protein powder", "grocery", ("Grocery", "Nutrition", "Protein", "Powders"), (18, 80), (DIET, INSIDE, PACKED), (FLAVOR, WEIGHT)),
    _T("popcorn", "a bag of", "popcorn", "grocery", ("Grocery", "Snacks", "Popcorn", "Ready to Eat"), (3, 25), (DIET, GROWN, PACKED), (FLAVOR, WEIGHT, PACK)),
    _T("wireless headphones", "a pair of", "wireless headphones", "electronics", ("Electronics", "Audio", "Headphones", "Over Ear"), (25, 300), (POWER, SOUND, TOUGH), (COLOR, STYLE)),
    _T("portable speakers", "a", "portable speaker", "electronics", ("Electronics", "Audio", "Speakers", "Portable"), (19, 200), (POWER, SOUND, LINK), (COLOR,)),
    _T("phone cases", "a", "phone case", "electronics", ("Electronics", "Phone Accessories", "Cases", "Basic Cases"), (6, 40), (TOUGH, GEAR, SURFACE), (COLOR, STYLE)),
    _T("charging cables", "a", "charging cable", "electronics", ("Electronics", "Accessories", "Cables", "Chargers"), (4, 30), (TOUGH, LINK, GEAR), (COLOR, LENGTH, PACK)),
    _T("flash drives", "a", "flash drive", "electronics", ("Electronics", "Storage", "Memory", "Flash Drives"), (5, 60), (TOUGH, LINK, GEAR), (COLOR, CAPACITY)),
    _T("computer keyboards", "a", "computer keyboard", "electronics", ("Electronics", "Computers", "Input", "Keyboards"), (15, 160), (LINK, POWER, TOUGH), (COLOR, STYLE)),
    _T("table lamps", "a", "table lamp", "home", ("Home", "Lighting", "Lamps", "Table Lamps"), (15, 140), (BUILD, LIGHT, ROOM), (COLOR, STYLE)),
    _T("bed sheets", "a set of", "bed sheets", "home", ("Home", "Bedding", "Sheets", "Sheet Sets"), (19, 150), (FABRIC, CARE, WARM), (COLOR, BED_SIZE)),
    _T("throw blankets", "a", "throw blanket", "home", ("Home", "Bedding", "Blankets", "Throws"), (14, 90), (FABRIC, CARE, WARM, ROOM), (COLOR, STYLE)),
    _T("area rugs", "an", "area rug", "home", ("Home", "Decor", "Rugs", "Area Rugs"), (25, 300), (SURFACE, ROOM, FABRIC), (COLOR, RUG_SIZE, STYLE)),
    _T("frying pans", "a", "frying pan", "home", ("Home", "Kitchen", "Cookware", "Skillets"), (15, 120), (BUILD, SURFACE, GEAR), (COLOR,)),
    _T("bar stools", "a", "bar stool", "home", ("Home", "Furniture", "Kitchen Seating", "Bar Stools"), (39, 260), (BUILD, COMFORT, ROOM), (COLOR, STYLE)),
    _T("office chairs", "an", "office chair", "office", ("Office", "Furniture", "Chairs", "Desk Chairs"), (59, 350), (COMFORT, SURFACE, TOUGH), (COLOR,)),
    _T("notebooks", "a", "notebook", "office", ("Office", "Paper", "Notebooks", "Journals"), (3, 28), (PAPER, GEAR, PACKED), (COLOR, STYLE, PACK)),
    _T("gel pens", "a set of", "gel pens", "office", ("Office", "Writing", "Pens", "Gel Pens"), (3, 30), (INK, SPORT, PACKED), (COLOR, PACK)),
    _T("dog beds", "a", "dog bed", "pets", ("Pet Supplies", "Dogs", "Beds", "Cushions"), (19, 130), (PET_MADE, PET, WARM), (COLOR, SIZE)),
    _T("cat treats", "a bag of", "cat treats", "pets", ("Pet Supplies", "Cats", "Food", "Snack Pouches"), (3, 25), (GROWN, INSIDE, PET), (WEIGHT, PACK)),
    _T("dog leashes", "a", "dog leash", "pets", ("Pet Supplies", "Dogs", "Walking", "Leads"), (7, 40), (PET_MADE, GEAR, PET), (COLOR, LENGTH)),
    _T("yoga mats", "a", "yoga mat", "sports", ("Sports", "Fitness", "Yoga", "Mats"), (12, 95), (SPORT, GEAR, SURFACE), (COLOR, STYLE)),
    _T("water bottles", "a", "water bottle", "sports", ("Sports", "Hydration", "Bottles", "Flasks"), (9, 50), (SPORT, GEAR, BUILD), (COLOR, VOLUME)),
    _T("camping tents", "a", "camping tent", "sports", ("Sports", "Camping", "Shelters", "Dome Tents"), (49, 350), (SPORT, OUTDOOR, GARDEN), (COLOR,)),
    _T("flower pots", "a", "flower pot", "garden", ("Garden", "Planting", "Containers", "Planters"), (8, 70), (GARDEN, OUTDOOR, BUILD), (COLOR, STYLE, PACK)),
    _T("garden hoses", "a", "garden hose", "garden", ("Garden", "Watering", "Supplies", "Pipes"), (15, 90), (GARDEN, OUTDOOR, TOUGH), (COLOR, LENGTH)),
    _T("baby bibs", "a set of", "baby bibs", "baby", ("Baby", "Feeding", "Bibs", "Burp Cloths"), (6, 35), (BABY, BABY_WITH, LASTING), (COLOR, STYLE, PACK)),
    _T("crib sheets", "a", "crib sheet", "baby", ("Baby", "Nursery", "Crib Bedding", "Fitted"), (9, 60), (BABY, BABY_WITH, CARE), (COLOR, STYLE)),
)  # fmt: skip

BRAND_STARTS = ("Vel", "Dro", "Quin", "Zar", "Mor", "Tel", "Bri", "Kas", "Lun", "Fen", "Hal", "Jor", "Nem", "Ost", "Pra", "Sel", "Thi", "Ul", "Wex", "Yar", "Cal", "Em", "Gri", "Iv")  # fmt: skip
BRAND_MIDDLES = ("a", "e", "i", "o", "u", "ae", "ia", "eo", "an", "or", "il", "en")
BRAND_ENDS = ("mora", "dine", "vista", "quell", "thorn", "lex", "nova", "brook", "wyn", "dell", "tris", "zen", "field", "mont", "ria", "bex", "gard", "lume")  # fmt: skip
SERIES = ("Solace", "Meridian", "Aspect", "Tundra", "Cadence", "Harbor", "Juniper", "Keystone", "Lattice", "Motif", "Nimbus", "Orchard", "Prelude", "Quarry", "Ridge", "Summit", "Tempo", "Umbra", "Vertex", "Willow", "Zephyr", "Anthem", "Beacon", "Cascade", "Drift", "Ember", "Folio", "Grove", "Halcyon", "Isle")  # fmt: skip

# Stock sentences. {attribute}, {noun}, {name} (brand and series) are filled in; no other attribute's word may occur.
BULLETS = {
    "": ("{attribute}: the first thing our customers mention", "Made to be noticed: {attribute}", "{attribute}, checked piece by piece"),
    "with": ("Comes with {attribute}", "With {attribute}, so that you need nothing else", "{attribute} included"),
    "for": ("Made for {attribute}", "Our pick for {attribute}", "Works well for {attribute}"),
}  # fmt: skip
DESCRIPTIONS = {
    "": ("It is {attribute}.", "What sets it apart: {attribute}."),
    "with": ("It comes with {attribute}.", "You will find it with {attribute}."),
    "for": ("It was designed for {attribute}.", "We recommend it for {attribute}."),
}
OPENINGS = (
    "The {name} {noun} is what we would buy ourselves.",
    "Meet the {name} {noun}, the result of two years of patient work.",
    "Our {name} {noun} has been a favorite since the day it was launched.",
    "Simple, honest and dependable: the {name} {noun}.",
)
FILLERS = (
    "A thoughtful present for birthdays and holidays",
    "Backed by our one year guarantee",
    "Ships within two working days",
    "Questions? Our team answers within a day",
    "Designed and inspected by people who use it",
    "Thousands of happy owners",
)
REVIEWS = (
    (5.0, "Exactly what I hoped", "Arrived on time and does what it says. I would order it again."),
    (4.0, "Good value", "Solid quality for what I paid. The parcel was a little battered."),
    (3.0, "It is fine", "Does the job. I expected a bit more after reading the page."),
    (5.0, "Second one I bought", "My sister wanted one after she had seen mine."),
    (2.0, "Not for me", "I should have read the features more carefully before ordering."),
    (4.0, "Happy so far", "Three weeks in and no complaints."),
)
