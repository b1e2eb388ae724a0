"""The words that generated products are made of: attributes and options, in groups that product types combine.

Within one product type no two attributes match each other under the reward's fuzzy rule, and none occurs in a noun
or a stock sentence (`phrases`), so that a sibling which lacks an attribute cannot be paid for it (the tests hold this).
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class AttributeGroup(NamedTuple):
    """At least six alternatives, of which a product has one at most. `joint` says how a sentence takes them up.

    `""` goes before the noun ("machine washable shirt"), `"with"` and `"for"` after it ("shirt with crew neck").
    """

    joint: Literal["", "with", "for"]
    words: tuple[str, ...]


class OptionPool(NamedTuple):
    """Values of one option; `spread` is what the dearest costs more than the cheapest, as a share of the price.

    `distinct`: no two values match under the reward's fuzzy rule, so that siblings may differ in this option only.
    """

    name: str
    values: tuple[str, ...]
    spread: float = 0.0
    distinct: bool = False


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def _is(text: str) -> AttributeGroup:
    return AttributeGroup("", _words(text))


def _with(text: str) -> AttributeGroup:
    return AttributeGroup("with", _words(text))


def _for(text: str) -> AttributeGroup:
    return AttributeGroup("for", _words(text))


def _pool(name: str, text: str, spread: float = 0.0, distinct: bool = False) -> OptionPool:
    return OptionPool(name, _words(text), spread, distinct)


# Clothing
FABRIC = _is("cotton, linen, polyester, bamboo viscose, merino wool, velvet, satin")
WARM_FABRIC = _is("fleece, cotton, sherpa, chenille, merino wool, faux fur")
CARE = _is("machine washable, hand wash only, dry clean only, wrinkle resistant, quick drying, tumble dry")
FIT = _is("slim fit, relaxed fit, oversized, athletic cut, cropped, tall sizing")
SLEEVE = _is("long sleeve, short sleeve, sleeveless, cap sleeve, off shoulder, three quarter sleeve")
SHIRT_WITH = _with("crew neck, henley collar, mock turtleneck, boat neckline, chest pocket, side vents")
BLOUSE_WITH = _with("bow tie neck, ruffled collar, button front, lace trim, pleated back, hidden placket")
HOODIE_WITH = _with("kangaroo pocket, zipper front, thumb holes, lined hood, ribbed cuffs, drawstring hem")
DRESS_WITH = _with("side pockets, empire waist, lace trim, button front, adjustable belt, pleated skirt")
LEGGING = _is("squat proof, four way stretch, moisture wicking, tummy control, fleece lined, buttery soft")
LEGGING_WITH = _with("side pockets, hidden drawstring, mesh panels, stirrup feet, high waistband, ankle zippers")
DRESSED_FOR = _for("beach weddings, office wear, garden parties, maternity, date nights, cold weather")
SHOE = _is("slip resistant, breathable, waterproof, shock absorbing, lightweight, machine washable")
SHOE_WITH = _with("memory foam insole, arch support, reflective heel, rubber outsole, elastic laces, padded tongue")
SHOE_FOR = _for("flat feet, wide toes, marathon training, gym workouts, overpronation, trail races")
BOOT = _is("slip resistant, waterproof, insulated, puncture proof, full grain leather, electrically safe")
BOOT_WITH = _with("steel toe, rubber outsole, padded ankle, side zipper, cushioned insole, reflective heel")
BAG = _is("water resistant, anti theft, lightweight, heavy duty, foldable, carry on sized")
BAG_WITH = _with("laptop compartment, usb charging port, hidden pocket, padded straps, bottle holder, chest clip")
BAG_FOR = _for("college students, day hikes, daily commutes, weekend trips, young kids, photographers")

# Beauty
FREE = _is("paraben free, sulfate free, cruelty free, oil free, silicone free, alcohol free, unscented")
BEAUTY_WITH = _with("argan oil, aloe vera, hyaluronic acid, vitamin c, shea butter, green tea, coconut milk")
HAIR_FOR = _for("dry hair, curly strands, damaged ends, oily scalp, fine texture, thinning roots")
SKIN_FOR = _for("sensitive skin, dark circles, fine lines, acne prone faces, dry patches, uneven tone")
LASTING = _is("long lasting, water resistant, dermatologist tested, fast absorbing, travel size, hypoallergenic")
LIP = _is("matte, high shine, smudge proof, long lasting, vegan, transfer resistant")

# Grocery
DIET = _is("gluten free, dairy free, sugar free, keto friendly, low sodium, plant based, kosher certified")
GROWN = _is("certified organic, non gmo, fair trade, small batch, shade grown, single origin")
ROAST = _is("dark roast, medium roast, light roast, decaffeinated, low acid, espresso style")
PACKED = _with("resealable zipper, freshness valve, gift wrapping, recyclable packaging, measuring spoon, bulk carton")
LEAF = _is("caffeine free, loose leaf, certified organic, fair trade, hand picked, unsweetened")
TEA_FOR = _for("better sleep, digestion, cold season, relaxation, iced drinks, morning routines")
SNACK_WITH = _with("real fruit, chia seeds, dietary fiber, natural sweeteners, roasted nuts, whole oats")
SNACK_FOR = _for("school lunches, movie nights, road trips, party bowls, office snacking, picky kids")
POWDER = _is("grass fed, cold processed, third party tested, unsweetened, easy mixing, low carb")
POWDER_WITH = _with("digestive enzymes, added collagen, probiotics, dietary fiber, electrolytes, amino acids")
POPPED = _is("air popped, non gmo, whole grain, small batch, hand tossed, low fat")

# Electronics
POWER = _with("fast charging, long battery life, usb c port, solar panel, auto shutoff, dual voltage")
SOUND = _with("noise cancellation, deep bass, stereo sound, voice assistant, built in microphone, touch controls")
WORN = _is("bluetooth, foldable, sweat proof, lightweight, low latency, kid safe")
PORTABLE = _is("bluetooth, waterproof, dustproof, shock proof, ultra compact, wall mountable")
CASE = _is("shock proof, dustproof, scratch resistant, ultra slim, crystal clear, biodegradable")
CASE_WITH = _with("card holder, kickstand, raised edges, wrist strap, screen protector, magnetic ring")
CASE_FOR = _for("wireless charging, outdoor work, one hand use, car mounts, clumsy owners, photo lovers")
CABLE = _is("nylon braided, tangle free, gold plated, right angle, flame retardant, ultra thin")
CABLE_WITH = _with("magnetic ends, velcro tie, led indicator, strain relief, data transfer, spare adapter")
CABLE_FOR = _for("car dashboards, tablets, game controllers, bedside use, power banks, road trips")
DRIVE = _is("password protected, keychain sized, water resistant, shock proof, retractable, metal cased")
DRIVE_WITH = _with("usb c port, activity light, lanyard hole, backup software, write protection, twin connectors")
DRIVE_FOR = _for("photo archives, car stereos, students, smart televisions, large videos, office backups")
KEYS = _is("bluetooth, backlit, mechanical, spill resistant, ultra slim, hot swappable")
KEYS_WITH = _with("wrist rest, number pad, media buttons, usb c port, adjustable feet, long battery life")
DESK_FOR = _for("programmers, small desks, gaming sessions, long hours, left handed users, home offices")

# Home and office
LAMP = _is("touch sensitive, energy saving, eye caring, cordless, flicker free, height adjustable")
LAMP_WITH = _with("dimmable bulb, remote control, motion sensor, sleep timer, pull chain, clip base")
LAMP_BODY = _is("ceramic, brushed metal, solid wood, blown glass, marble, woven rattan")
ROOM = _for("living rooms, small apartments, home offices, guest bedrooms, dorm rooms, nurseries")
SHEET = _is("hypoallergenic, oeko tex certified, cooling, deep pocket, pilling resistant, extra soft")
THROW = _is("hypoallergenic, weighted, double sided, extra plush, hand knitted, heated")
THROW_FOR = _for("sofa naps, cold offices, outdoor picnics, dorm rooms, long flights, nurseries")
RUG = _is("stain resistant, fade resistant, machine washable, low pile, hand woven, pet friendly")
RUG_FIBER = _is("merino wool, jute, cotton, polypropylene, silk blend, bamboo")
PAN_BODY = _is("cast iron, stainless steel, hard anodized, carbon steel, ceramic coated, granite stone")
PAN = _is("dishwasher safe, oven safe, non stick, induction ready, scratch resistant, pfoa free")
PAN_WITH = _with("glass lid, pour spouts, helper handle, stay cool grip, hanging loop, silicone mitt")
STOOL = _is("solid oak, bamboo, powder coated, faux leather, rattan, brushed metal")
STOOL_WITH = _with("built in footrest, adjustable height, low backrest, swivel seat, non slip feet, padded cushion")
STOOL_FOR = _for("kitchen islands, small apartments, outdoor patios, basement pubs, breakfast nooks, tall counters")
CHAIR = _is("breathable mesh, faux leather, heavy duty, easy to assemble, high back, armless")
CHAIR_WITH = _with("adjustable height, lumbar cushion, flip up arms, locking wheels, padded headrest, tilt lock")
CANDLE = _is("soy wax, hand poured, dye free, lead free, vegan, long burning")
CANDLE_WITH = _with("cotton wick, wooden lid, essential oils, gift wrapping, glass jar, snuffer tool")
CANDLE_FOR = _for("meditation, housewarmings, stress relief, romantic dinners, spa evenings, small apartments")
PAPER = _is("acid free, recycled, perforated, college ruled, spiral bound, heavyweight")
PAPER_WITH = _with("elastic band, ribbon bookmark, inner pocket, numbered pages, pen loop, index tabs")
WRITE_FOR = _for("bullet journaling, left handed writers, meeting notes, sketching, scrapbooking, exam season")
INK = _is("quick drying, smudge proof, refillable, retractable, acid free, fade resistant")
INK_WITH = _with("fine tip, ergonomic grip, pocket clip, metal barrel, soft eraser, storage tray")

# Pets, sports, garden, baby
DOG_FOR = _for("small breeds, senior dogs, puppies, strong pullers, anxious pets, arthritis")
DOG_BED = _is("chew proof, orthopedic, machine washable, water resistant, self warming, elevated")
DOG_BED_WITH = _with("non slip bottom, removable cover, raised rim, memory foam core, cooling gel, carry handles")
LEASH = _is("reflective, chew proof, hands free, retractable, weather resistant, tangle free")
LEASH_WITH = _with("padded handle, traffic loop, waste bag holder, locking clip, bungee section, swivel hook")
CAT = _is("grain free, freeze dried, soft baked, crunchy, low calorie, human grade")
CAT_WITH = _with("real salmon, chicken liver, added taurine, catnip, prebiotic fiber, pumpkin puree")
CAT_FOR = _for("indoor cats, kittens, picky eaters, sensitive stomachs, weight control, dental care")
MAT = _is("non toxic, lightweight, odor resistant, high density, extra thick, reversible")
MAT_WITH = _with("carrying strap, mesh pouch, textured grip, alignment marks, rounded corners, cork backing")
MAT_FOR = _for("hot studios, bad knees, beginners, frequent travelers, home workouts, pilates")
BOTTLE = _is("double insulated, leak proof, bpa free, sweat proof, dishwasher safe, lightweight")
BOTTLE_BODY = _is("stainless steel, tritan plastic, borosilicate glass, titanium, aluminum, copper lined")
BOTTLE_WITH = _with("carrying strap, wide mouth, straw lid, time markings, fruit infuser, bite valve")
TENT = _is("waterproof, windproof, freestanding, fire retardant, uv protected, pop up")
TENT_WITH = _with("rain fly, mesh windows, ground stakes, gear loft, fiberglass poles, vestibule")
TENT_FOR = _for("family trips, solo hikes, festival weekends, winter nights, beach days, backyard sleepovers")
POT = _is("self watering, frost hardy, hand painted, uv protected, shatter proof, biodegradable")
POT_BODY = _is("terracotta, glazed ceramic, woven wicker, concrete, galvanized metal, recycled plastic")
POT_WITH = _with("drainage holes, matching saucer, wooden stand, hanging chain, rolled rim, wheeled base")
HOSE = _is("kink resistant, expandable, lead free, frost hardy, burst proof, lightweight")
HOSE_WITH = _with("brass fittings, spray nozzle, storage bag, wall hanger, shutoff valve, swivel grip")
HOSE_FOR = _for("hot climates, car washing, vegetable beds, large yards, balcony plants, boat owners")
BIB = _is("bpa free, waterproof, organic cotton, lightweight, stain resistant, hypoallergenic")
BIB_WITH = _with("snap closure, crumb catcher, adjustable neckline, soft teether, long sleeves, absorbent backing")
CRIB = _is("organic cotton, flame retardant, hypoallergenic, chlorine free, breathable, ultra soft")
CRIB_WITH = _with("elastic edges, deep pockets, reinforced seams, leak barrier, zip closure, printed hem")

COLOR = _pool(
    "color",
    "black, white, navy blue, forest green, burgundy, mustard, teal, olive, lavender, coral, ivory, khaki, "
    "bright orange, dusty rose, slate grey, dark brown, turquoise, plum, copper, mint, beige, silver, cherry red, "
    "pale pink, royal purple, taupe, lemon yellow",
    distinct=True,
)
SHADE = _pool(
    "color",
    "cherry red, dusty rose, coral, plum, burgundy, nude, mauve, pale pink, dark brown, copper, wild berry, peach",
    distinct=True,
)
SIZE = _pool("size", "x-small, small, medium, large, x-large, xx-large, 3x-large")
SHOE_SIZE = _pool("size", "6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5, 10, 11, 12")
BED_SIZE = _pool("size", "twin, full, queen, king, california king", 0.12)
RUG_SIZE = _pool("size", "2 ft x 3 ft, 3 ft x 5 ft, 4 ft x 6 ft, 5 ft x 8 ft, 8 ft x 10 ft", 0.3)
PACK = _pool("pack", "pack of 1, pack of 2, pack of 3, pack of 4, pack of 6, pack of 12", 0.6)
VOLUME = _pool("volume", "2 fl oz, 4 fl oz, 8 fl oz, 12 fl oz, 16 fl oz, 32 fl oz", 0.25)
WEIGHT = _pool("weight", "8 ounce, 12 ounce, 1 pound, 2 pound, 5 pound", 0.35)
CAPACITY = _pool("capacity", "16 gb, 32 gb, 64 gb, 128 gb, 256 gb, 512 gb", 0.2)
LENGTH = _pool("length", "1 ft, 3 ft, 6 ft, 10 ft, 15 ft, 25 ft", 0.15)
FLAVOR = _pool(
    "flavor",
    "vanilla, strawberry, salted caramel, peppermint, lemon zest, cinnamon, dark chocolate, hazelnut, blueberry, "
    "coconut, maple, ginger, banana, raspberry, pumpkin spice",
    distinct=True,
)
COFFEE_FLAVOR = _pool(
    "flavor",
    "vanilla, hazelnut, salted caramel, dark chocolate, cinnamon, coconut, maple, pumpkin spice, peppermint, "
    "irish cream, almond toffee, gingerbread",
    distinct=True,
)
TEA_FLAVOR = _pool(
    "flavor",
    "peppermint, ginger, lemon zest, hibiscus, chamomile, rooibos, cinnamon, raspberry, jasmine, licorice root, "
    "turmeric, spiced apple",
    distinct=True,
)
POPCORN_FLAVOR = _pool(
    "flavor",
    "sea salt, white cheddar, salted caramel, jalapeno, dill pickle, barbecue, truffle, cinnamon, maple, buffalo, "
    "garlic butter, dark chocolate",
    distinct=True,
)
SCENT = _pool(
    "scent",
    "lavender, eucalyptus, sandalwood, jasmine, citrus grove, ocean breeze, bergamot, cedar, rosemary, honeysuckle, "
    "fig leaf, white tea, patchouli, vetiver",
    distinct=True,
)
STYLE = _pool(
    "style",
    "classic, modern, vintage, bohemian, nautical, industrial, farmhouse, tropical, geometric, floral, striped, "
    "paisley, plaid, abstract",
    distinct=True,
)
