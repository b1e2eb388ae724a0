"""The words that generated products are made of: product types, attributes, options, brand syllables, sentences.

Within one product type no two attributes match each other under the reward's fuzzy rule, and none occurs in a noun
or a stock sentence, so that a sibling which lacks an attribute cannot be paid for it (the tests hold this).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from turnwise.envs.webshop.product import CATEGORY_SEPARATOR


class AttributeGroup(NamedTuple):
    """At least six alternatives, of which a product has one at most. `joint` says how a sentence takes them up.

    `""` goes before the noun ("machine washable shirt"), `"with"` and `"for"` after it ("shirt with crew neck").
    """

    joint: Literal["", "with", "for"]
    words: tuple[str, ...]


class OptionPool(NamedTuple):
    """Values of one option; `step` is what each further value on sale costs more, as a share of the price.

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
    path: str
    prices: tuple[int, int]
    groups: tuple[AttributeGroup, ...]
    options: tuple[OptionPool, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def _is(text: str) -> AttributeGroup:
    return AttributeGroup("", _words(text))


def _with(text: str) -> AttributeGroup:
    return AttributeGroup("with", _words(text))


def _for(text: str) -> AttributeGroup:
    return AttributeGroup("for", _words(text))


def _pool(name: str, text: str, step: float = 0.0, distinct: bool = False) -> OptionPool:
    return OptionPool(name, _words(text), step, distinct)


def _type(  # noqa: PLR0913 (a table row)
    query: str,
    article: str,
    noun: str,
    department: str,
    path: str,
    prices: tuple[int, int],
    groups: tuple[AttributeGroup, ...],
    options: tuple[OptionPool, ...],
) -> ProductType:
    names = (department.title(), *_words(path))
    return ProductType(query, article, noun, department, CATEGORY_SEPARATOR.join(names), prices, groups, options)


# Clothing
_FABRIC = _is("cotton, linen, polyester, bamboo viscose, merino wool, velvet, satin")
_WARM_FABRIC = _is("fleece, cotton, sherpa, chenille, merino wool, faux fur")
_CARE = _is("machine washable, hand wash only, dry clean only, wrinkle resistant, quick drying, tumble dry")
_FIT = _is("slim fit, relaxed fit, oversized, athletic cut, cropped, tall sizing")
_SLEEVE = _is("long sleeve, short sleeve, sleeveless, cap sleeve, off shoulder, three quarter sleeve")
_SHIRT_WITH = _with("crew neck, henley collar, mock turtleneck, boat neckline, chest pocket, side vents")
_BLOUSE_WITH = _with("bow tie neck, ruffled collar, button front, lace trim, pleated back, hidden placket")
_HOODIE_WITH = _with("kangaroo pocket, zipper front, thumb holes, lined hood, ribbed cuffs, drawstring hem")
_DRESS_WITH = _with("side pockets, empire waist, lace trim, button front, adjustable belt, pleated skirt")
_LEGGING = _is("squat proof, four way stretch, moisture wicking, tummy control, fleece lined, buttery soft")
_LEGGING_WITH = _with("side pockets, hidden drawstring, mesh panels, stirrup feet, high waistband, ankle zippers")
_DRESSED_FOR = _for("beach weddings, office wear, garden parties, maternity, date nights, cold weather")
_SHOE = _is("slip resistant, breathable, waterproof, shock absorbing, lightweight, machine washable")
_SHOE_WITH = _with("memory foam insole, arch support, reflective heel, rubber outsole, elastic laces, padded tongue")
_SHOE_FOR = _for("flat feet, wide toes, marathon training, gym workouts, overpronation, trail races")
_BOOT = _is("slip resistant, waterproof, insulated, puncture proof, full grain leather, electrically safe")
_BOOT_WITH = _with("steel toe, rubber outsole, padded ankle, side zipper, cushioned insole, reflective heel")
_BAG = _is("water resistant, anti theft, lightweight, heavy duty, foldable, carry on sized")
_BAG_WITH = _with("laptop compartment, usb charging port, hidden pocket, padded straps, bottle holder, chest clip")
_BAG_FOR = _for("college students, day hikes, daily commutes, weekend trips, young kids, photographers")

# Beauty
_FREE = _is("paraben free, sulfate free, cruelty free, oil free, silicone free, alcohol free, unscented")
_BEAUTY_WITH = _with("argan oil, aloe vera, hyaluronic acid, vitamin c, shea butter, green tea, coconut milk")
_HAIR_FOR = _for("dry hair, curly strands, damaged ends, oily scalp, fine texture, thinning roots")
_SKIN_FOR = _for("sensitive skin, dark circles, fine lines, acne prone faces, dry patches, uneven tone")
_LASTING = _is("long lasting, water resistant, dermatologist tested, fast absorbing, travel size, hypoallergenic")
_LIP = _is("matte, high shine, smudge proof, long lasting, vegan, transfer resistant")

# Grocery
_DIET = _is("gluten free, dairy free, sugar free, keto friendly, low sodium, plant based, kosher certified")
_GROWN = _is("certified organic, non gmo, fair trade, small batch, shade grown, single origin")
_ROAST = _is("dark roast, medium roast, light roast, decaffeinated, low acid, espresso style")
_PACKED = _with("resealable zipper, freshness valve, gift wrapping, recyclable packaging, measuring spoon, bulk carton")
_LEAF = _is("caffeine free, loose leaf, certified organic, fair trade, hand picked, unsweetened")
_TEA_FOR = _for("better sleep, digestion, cold season, relaxation, iced drinks, morning routines")
_SNACK_WITH = _with("real fruit, chia seeds, dietary fiber, natural sweeteners, roasted nuts, whole oats")
_SNACK_FOR = _for("school lunches, movie nights, road trips, party bowls, office snacking, picky kids")
_POWDER = _is("grass fed, cold processed, third party tested, unsweetened, easy mixing, low carb")
_POWDER_WITH = _with("digestive enzymes, added collagen, probiotics, dietary fiber, electrolytes, amino acids")
_POPPED = _is("air popped, non gmo, whole grain, small batch, hand tossed, low fat")

# Electronics
_POWER = _with("fast charging, long battery life, usb c port, solar panel, auto shutoff, dual voltage")
_SOUND = _with("noise cancellation, deep bass, stereo sound, voice assistant, built in microphone, touch controls")
_WORN = _is("bluetooth, foldable, sweat proof, lightweight, low latency, kid safe")
_PORTABLE = _is("bluetooth, waterproof, dustproof, shock proof, ultra compact, wall mountable")
_CASE = _is("shock proof, dustproof, scratch resistant, ultra slim, crystal clear, biodegradable")
_CASE_WITH = _with("card holder, kickstand, raised edges, wrist strap, screen protector, magnetic ring")
_CASE_FOR = _for("wireless charging, outdoor work, one hand use, car mounts, clumsy owners, photo lovers")
_CABLE = _is("nylon braided, tangle free, gold plated, right angle, flame retardant, ultra thin")
_CABLE_WITH = _with("magnetic ends, velcro tie, led indicator, strain relief, data transfer, spare adapter")
_CABLE_FOR = _for("car dashboards, tablets, game controllers, bedside use, power banks, road trips")
_DRIVE = _is("password protected, keychain sized, water resistant, shock proof, retractable, metal cased")
_DRIVE_WITH = _with("usb c port, activity light, lanyard hole, backup software, write protection, twin connectors")
_DRIVE_FOR = _for("photo archives, car stereos, students, smart televisions, large videos, office backups")
_KEYS = _is("bluetooth, backlit, mechanical, spill resistant, ultra slim, hot swappable")
_KEYS_WITH = _with("wrist rest, number pad, media buttons, usb c port, adjustable feet, long battery life")
_DESK_FOR = _for("programmers, small desks, gaming sessions, long hours, left handed users, home offices")

# Home and office
_LAMP = _is("touch sensitive, energy saving, eye caring, cordless, flicker free, height adjustable")
_LAMP_WITH = _with("dimmable bulb, remote control, motion sensor, sleep timer, pull chain, clip base")
_LAMP_BODY = _is("ceramic, brushed metal, solid wood, blown glass, marble, woven rattan")
_ROOM = _for("living rooms, small apartments, home offices, guest bedrooms, dorm rooms, nurseries")
_SHEET = _is("hypoallergenic, oeko tex certified, cooling, deep pocket, pilling resistant, extra soft")
_THROW = _is("hypoallergenic, weighted, double sided, extra plush, hand knitted, heated")
_THROW_FOR = _for("sofa naps, cold offices, outdoor picnics, dorm rooms, long flights, nurseries")
_RUG = _is("stain resistant, fade resistant, machine washable, low pile, hand woven, pet friendly")
_RUG_FIBER = _is("merino wool, jute, cotton, polypropylene, silk blend, bamboo")
_PAN_BODY = _is("cast iron, stainless steel, hard anodized, carbon steel, ceramic coated, granite stone")
_PAN = _is("dishwasher safe, oven safe, non stick, induction ready, scratch resistant, pfoa free")
_PAN_WITH = _with("glass lid, pour spouts, helper handle, stay cool grip, hanging loop, silicone mitt")
_STOOL = _is("solid oak, bamboo, powder coated, faux leather, rattan, brushed metal")
_STOOL_WITH = _with("built in footrest, adjustable height, low backrest, swivel seat, non slip feet, padded cushion")
_STOOL_FOR = _for("kitchen islands, small apartments, outdoor patios, basement pubs, breakfast nooks, tall counters")
_CHAIR = _is("breathable mesh, faux leather, heavy duty, easy to assemble, high back, armless")
_CHAIR_WITH = _with("adjustable height, lumbar cushion, flip up arms, locking wheels, padded headrest, tilt lock")
_CANDLE = _is("soy wax, hand poured, dye free, lead free, vegan, long burning")
_CANDLE_WITH = _with("cotton wick, wooden lid, essential oils, gift wrapping, glass jar, snuffer tool")
_CANDLE_FOR = _for("meditation, housewarmings, stress relief, romantic dinners, spa evenings, small apartments")
_PAPER = _is("acid free, recycled, perforated, college ruled, spiral bound, heavyweight")
_PAPER_WITH = _with("elastic band, ribbon bookmark, inner pocket, numbered pages, pen loop, index tabs")
_WRITE_FOR = _for("bullet journaling, left handed writers, meeting notes, sketching, scrapbooking, exam season")
_INK = _is("quick drying, smudge proof, refillable, retractable, acid free, fade resistant")
_INK_WITH = _with("fine tip, ergonomic grip, pocket clip, metal barrel, soft eraser, storage tray")

# Pets, sports, garden, baby
_DOG_FOR = _for("small breeds, senior dogs, puppies, strong pullers, anxious pets, arthritis")
_DOG_BED = _is("chew proof, orthopedic, machine washable, water resistant, self warming, elevated")
_DOG_BED_WITH = _with("non slip bottom, removable cover, raised rim, memory foam core, cooling gel, carry handles")
_LEASH = _is("reflective, chew proof, hands free, retractable, weather resistant, tangle free")
_LEASH_WITH = _with("padded handle, traffic loop, waste bag holder, locking clip, bungee section, swivel hook")
_CAT = _is("grain free, freeze dried, soft baked, crunchy, low calorie, human grade")
_CAT_WITH = _with("real salmon, chicken liver, added taurine, catnip, prebiotic fiber, pumpkin puree")
_CAT_FOR = _for("indoor cats, kittens, picky eaters, sensitive stomachs, weight control, dental care")
_MAT = _is("non toxic, lightweight, odor resistant, high density, extra thick, reversible")
_MAT_WITH = _with("carrying strap, mesh pouch, textured grip, alignment marks, rounded corners, cork backing")
_MAT_FOR = _for("hot studios, bad knees, beginners, frequent travelers, home workouts, pilates")
_BOTTLE = _is("double insulated, leak proof, bpa free, sweat proof, dishwasher safe, lightweight")
_BOTTLE_BODY = _is("stainless steel, tritan plastic, borosilicate glass, titanium, aluminum, copper lined")
_BOTTLE_WITH = _with("carrying strap, wide mouth, straw lid, time markings, fruit infuser, bite valve")
_TENT = _is("waterproof, windproof, freestanding, fire retardant, uv protected, pop up")
_TENT_WITH = _with("rain fly, mesh windows, ground stakes, gear loft, fiberglass poles, vestibule")
_TENT_FOR = _for("family trips, solo hikes, festival weekends, winter nights, beach days, backyard sleepovers")
_POT = _is("self watering, frost hardy, hand painted, uv protected, shatter proof, biodegradable")
_POT_BODY = _is("terracotta, glazed ceramic, woven wicker, concrete, galvanized metal, recycled plastic")
_POT_WITH = _with("drainage holes, matching saucer, wooden stand, hanging chain, rolled rim, wheeled base")
_HOSE = _is("kink resistant, expandable, lead free, frost hardy, burst proof, lightweight")
_HOSE_WITH = _with("brass fittings, spray nozzle, storage bag, wall hanger, shutoff valve, swivel grip")
_HOSE_FOR = _for("hot climates, car washing, vegetable beds, large yards, balcony plants, boat owners")
_BIB = _is("bpa free, waterproof, organic cotton, lightweight, stain resistant, hypoallergenic")
_BIB_WITH = _with("snap closure, crumb catcher, adjustable neckline, soft teether, long sleeves, absorbent backing")
_CRIB = _is("organic cotton, flame retardant, hypoallergenic, chlorine free, breathable, ultra soft")
_CRIB_WITH = _with("elastic edges, deep pockets, reinforced seams, leak barrier, zip closure, printed hem")

_COLOR = _pool(
    "color",
    "black, white, navy blue, forest green, burgundy, mustard, teal, olive, lavender, coral, ivory, khaki, "
    "bright orange, dusty rose, slate grey, dark brown, turquoise, plum, copper, mint, beige, silver, cherry red, "
    "pale pink, royal purple, taupe, lemon yellow",
    distinct=True,
)
_SHADE = _pool(
    "color",
    "cherry red, dusty rose, coral, plum, burgundy, nude, mauve, pale pink, dark brown, copper, wild berry, peach",
    distinct=True,
)
_SIZE = _pool("size", "x-small, small, medium, large, x-large, xx-large, 3x-large")
_SHOE_SIZE = _pool("size", "6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5, 10, 11, 12")
_BED_SIZE = _pool("size", "twin, full, queen, king, california king", 0.12)
_RUG_SIZE = _pool("size", "2 ft x 3 ft, 3 ft x 5 ft, 4 ft x 6 ft, 5 ft x 8 ft, 8 ft x 10 ft", 0.3)
_PACK = _pool("pack", "pack of 1, pack of 2, pack of 3, pack of 4, pack of 6, pack of 12", 0.6)
_VOLUME = _pool("volume", "2 fl oz, 4 fl oz, 8 fl oz, 12 fl oz, 16 fl oz, 32 fl oz", 0.25)
_WEIGHT = _pool("weight", "8 ounce, 12 ounce, 1 pound, 2 pound, 5 pound", 0.35)
_CAPACITY = _pool("capacity", "16 gb, 32 gb, 64 gb, 128 gb, 256 gb, 512 gb", 0.2)
_LENGTH = _pool("length", "1 ft, 3 ft, 6 ft, 10 ft, 15 ft, 25 ft", 0.15)
_FLAVOR = _pool(
    "flavor",
    "vanilla, strawberry, salted caramel, peppermint, lemon zest, cinnamon, dark chocolate, hazelnut, blueberry, "
    "coconut, maple, ginger, banana, raspberry, pumpkin spice",
    distinct=True,
)
_COFFEE_FLAVOR = _pool(
    "flavor",
    "vanilla, hazelnut, salted caramel, dark chocolate, cinnamon, coconut, maple, pumpkin spice, peppermint, "
    "irish cream, almond toffee, gingerbread",
    distinct=True,
)
_TEA_FLAVOR = _pool(
    "flavor",
    "peppermint, ginger, lemon zest, hibiscus, chamomile, rooibos, cinnamon, raspberry, jasmine, licorice root, "
    "turmeric, spiced apple",
    distinct=True,
)
_POPCORN_FLAVOR = _pool(
    "flavor",
    "sea salt, white cheddar, salted caramel, jalapeno, dill pickle, barbecue, truffle, cinnamon, maple, buffalo, "
    "garlic butter, dark chocolate",
    distinct=True,
)
_SCENT = _pool(
    "scent",
    "lavender, eucalyptus, sandalwood, jasmine, citrus grove, ocean breeze, bergamot, cedar, rosemary, honeysuckle, "
    "fig leaf, white tea, patchouli, vetiver",
    distinct=True,
)
_STYLE = _pool(
    "style",
    "classic, modern, vintage, bohemian, nautical, industrial, farmhouse, tropical, geometric, floral, striped, "
    "paisley, plaid, abstract",
    distinct=True,
)

TYPES: tuple[ProductType, ...] = (
    _type("men's t-shirts", "a", "men's t-shirt", "fashion", "Men, Shirts, T-Shirts", (9, 45), (_FABRIC, _CARE, _FIT, _SHIRT_WITH), (_COLOR, _SIZE)),
    _type("women's blouses", "a", "women's blouse", "fashion", "Women, Tops, Blouses", (14, 70), (_FABRIC, _CARE, _SLEEVE, _BLOUSE_WITH), (_COLOR, _SIZE, _STYLE)),
    _type("men's hoodies", "a", "men's hoodie", "fashion", "Men, Sweatshirts, Hoodies", (19, 80), (_WARM_FABRIC, _CARE, _FIT, _HOODIE_WITH), (_COLOR, _SIZE)),
    _type("women's leggings", "a pair of", "women's leggings", "fashion", "Women, Bottoms, Leggings", (12, 60), (_LEGGING, _CARE, _LEGGING_WITH), (_COLOR, _SIZE)),
    _type("women's dresses", "a", "women's dress", "fashion", "Women, Dresses, Casual", (18, 120), (_FABRIC, _SLEEVE, _DRESS_WITH, _DRESSED_FOR), (_COLOR, _SIZE, _STYLE)),
    _type("running shoes", "a pair of", "running shoes", "fashion", "Shoes, Athletic, Running", (29, 150), (_SHOE, _SHOE_WITH, _SHOE_FOR), (_COLOR, _SHOE_SIZE)),
    _type("work boots", "a pair of", "work boots", "fashion", "Shoes, Boots, Work", (49, 220), (_BOOT, _BOOT_WITH, _SHOE_FOR), (_COLOR, _SHOE_SIZE)),
    _type("backpacks", "a", "backpack", "fashion", "Luggage, Bags, Backpacks", (19, 130), (_BAG, _BAG_WITH, _BAG_FOR), (_COLOR, _STYLE)),
    _type("shampoos", "a bottle of", "shampoo", "beauty", "Hair Care, Wash, Shampoos", (5, 40), (_FREE, _BEAUTY_WITH, _HAIR_FOR), (_SCENT, _VOLUME, _PACK)),
    _type("hair conditioners", "a bottle of", "hair conditioner", "beauty", "Hair Care, Rinses, Conditioners", (5, 40), (_FREE, _BEAUTY_WITH, _HAIR_FOR), (_SCENT, _VOLUME)),
    _type("face moisturizers", "a jar of", "face moisturizer", "beauty", "Skin Care, Face, Moisturizers", (8, 90), (_FREE, _BEAUTY_WITH, _SKIN_FOR, _LASTING), (_SCENT, _VOLUME, _PACK)),
    _type("lipsticks", "a", "lipstick", "beauty", "Makeup, Lips, Lipsticks", (4, 35), (_FREE, _BEAUTY_WITH, _LIP), (_SHADE, _PACK)),
    _type("body lotions", "a bottle of", "body lotion", "beauty", "Skin Care, Body, Lotions", (6, 45), (_FREE, _BEAUTY_WITH, _SKIN_FOR), (_SCENT, _VOLUME, _PACK)),
    _type("ground coffee", "a bag of", "ground coffee", "grocery", "Beverages, Coffee, Ground", (7, 45), (_GROWN, _ROAST, _PACKED), (_COFFEE_FLAVOR, _WEIGHT, _PACK)),
    _type("herbal tea", "a box of", "herbal tea", "grocery", "Beverages, Tea, Herbal", (4, 30), (_LEAF, _TEA_FOR, _PACKED), (_TEA_FLAVOR, _PACK)),
    _type("granola bars", "a box of", "granola bars", "grocery", "Snacks, Bars, Granola", (4, 35), (_DIET, _SNACK_WITH, _SNACK_FOR), (_FLAVOR, _PACK)),
    _type("protein powder", "a tub of", "protein powder", "grocery", "Nutrition, Protein, Powders", (18, 80), (_DIET, _POWDER, _POWDER_WITH), (_FLAVOR, _WEIGHT)),
    _type("popcorn", "a bag of", "popcorn", "grocery", "Snacks, Savory, Popcorn", (3, 25), (_DIET, _POPPED, _SNACK_FOR), (_POPCORN_FLAVOR, _WEIGHT, _PACK)),
    _type("wireless headphones", "a pair of", "wireless headphones", "electronics", "Audio, Headphones, Over Ear", (25, 300), (_POWER, _SOUND, _WORN), (_COLOR, _STYLE)),
    _type("portable speakers", "a", "portable speaker", "electronics", "Audio, Speakers, Portable", (19, 200), (_POWER, _SOUND, _PORTABLE), (_COLOR,)),
    _type("phone cases", "a", "phone case", "electronics", "Phones, Accessories, Cases", (6, 40), (_CASE, _CASE_WITH, _CASE_FOR), (_COLOR, _STYLE)),
    _type("charging cables", "a", "charging cable", "electronics", "Phones, Power, Cables", (4, 30), (_CABLE, _CABLE_WITH, _CABLE_FOR), (_COLOR, _LENGTH, _PACK)),
    _type("flash drives", "a", "flash drive", "electronics", "Computers, Storage, Flash Drives", (5, 60), (_DRIVE, _DRIVE_WITH, _DRIVE_FOR), (_COLOR, _CAPACITY)),
    _type("computer keyboards", "a", "computer keyboard", "electronics", "Computers, Input, Keyboards", (15, 160), (_KEYS, _KEYS_WITH, _DESK_FOR), (_COLOR, _STYLE)),
    _type("table lamps", "a", "table lamp", "home", "Lighting, Lamps, Table", (15, 140), (_LAMP, _LAMP_WITH, _LAMP_BODY, _ROOM), (_COLOR, _STYLE)),
    _type("bed sheets", "a set of", "bed sheets", "home", "Bedding, Sheets, Sets", (19, 150), (_FABRIC, _CARE, _SHEET), (_COLOR, _BED_SIZE)),
    _type("throw blankets", "a", "throw blanket", "home", "Bedding, Blankets, Throws", (14, 90), (_WARM_FABRIC, _CARE, _THROW, _THROW_FOR), (_COLOR, _STYLE)),
    _type("area rugs", "a", "area rug", "home", "Decor, Rugs, Area", (25, 300), (_RUG, _RUG_FIBER, _ROOM), (_COLOR, _RUG_SIZE, _STYLE)),
    _type("scented candles", "a", "scented candle", "home", "Fragrance, Candles, Scented", (7, 50), (_CANDLE, _CANDLE_WITH, _CANDLE_FOR), (_SCENT, _PACK)),
    _type("frying pans", "a", "frying pan", "home", "Kitchen, Cookware, Skillets", (15, 120), (_PAN, _PAN_BODY, _PAN_WITH), (_COLOR,)),
    _type("bar stools", "a", "bar stool", "home", "Furniture, Seating, Stools", (39, 260), (_STOOL, _STOOL_WITH, _STOOL_FOR), (_COLOR, _STYLE)),
    _type("office chairs", "a", "office chair", "office", "Furniture, Chairs, Desk", (59, 350), (_CHAIR, _CHAIR_WITH, _DESK_FOR), (_COLOR,)),
    _type("notebooks", "a", "notebook", "office", "Paper, Notebooks, Journals", (3, 28), (_PAPER, _PAPER_WITH, _WRITE_FOR), (_COLOR, _STYLE, _PACK)),
    _type("gel pens", "a set of", "gel pens", "office", "Writing, Pens, Gel", (3, 30), (_INK, _INK_WITH, _WRITE_FOR), (_COLOR, _PACK)),
    _type("dog beds", "a", "dog bed", "pets", "Dogs, Beds, Cushions", (19, 130), (_DOG_BED, _DOG_BED_WITH, _DOG_FOR), (_COLOR, _SIZE)),
    _type("dog leashes", "a", "dog leash", "pets", "Dogs, Walking, Leads", (7, 40), (_LEASH, _LEASH_WITH, _DOG_FOR), (_COLOR, _LENGTH)),
    _type("cat treats", "a bag of", "cat treats", "pets", "Cats, Food, Snacks", (3, 25), (_CAT, _CAT_WITH, _CAT_FOR), (_WEIGHT, _PACK)),
    _type("yoga mats", "a", "yoga mat", "sports", "Fitness, Yoga, Mats", (12, 95), (_MAT, _MAT_WITH, _MAT_FOR), (_COLOR, _STYLE)),
    _type("water bottles", "a", "water bottle", "sports", "Hydration, Bottles, Flasks", (9, 50), (_BOTTLE, _BOTTLE_BODY, _BOTTLE_WITH), (_COLOR, _VOLUME)),
    _type("camping tents", "a", "camping tent", "sports", "Camping, Shelters, Tents", (49, 350), (_TENT, _TENT_WITH, _TENT_FOR), (_COLOR,)),
    _type("flower pots", "a", "flower pot", "garden", "Planting, Containers, Pots", (8, 70), (_POT, _POT_BODY, _POT_WITH), (_COLOR, _STYLE, _PACK)),
    _type("garden hoses", "a", "garden hose", "garden", "Watering, Supplies, Hoses", (15, 90), (_HOSE, _HOSE_WITH, _HOSE_FOR), (_COLOR, _LENGTH)),
    _type("baby bibs", "a set of", "baby bibs", "baby", "Feeding, Bibs, Cloths", (6, 35), (_BIB, _BIB_WITH, _CARE), (_COLOR, _STYLE, _PACK)),
    _type("crib sheets", "a", "crib sheet", "baby", "Nursery, Bedding, Sheets", (9, 60), (_CRIB, _CRIB_WITH, _CARE), (_COLOR, _STYLE)),
)  # fmt: skip

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

# Stock sentences. {attribute}, {noun}, {name} (brand and series) are filled in; no attribute's word may occur in them.
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
