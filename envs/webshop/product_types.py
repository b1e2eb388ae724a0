"""The kinds of things that generated products are: a table of 44 types in ten departments."""

from __future__ import annotations

from typing import NamedTuple

from turnwise.envs.webshop import vocabulary as v
from turnwise.envs.webshop.product import CATEGORY_SEPARATOR


class ProductType(NamedTuple):
    """One kind of thing. `article` and `noun` make the instruction ("a pair of" + … + "running shoes")."""

    query: str
    article: str
    noun: str
    department: str
    path: str
    prices: tuple[int, int]
    groups: tuple[v.AttributeGroup, ...]
    options: tuple[v.OptionPool, ...]


def _type(
    query: str,
    article: str,
    noun: str,
    department: str,
    path: str,
    prices: tuple[int, int],
    groups: tuple[v.AttributeGroup, ...],
    options: tuple[v.OptionPool, ...],
) -> ProductType:
    names = (department.title(), *path.split(", "))
    return ProductType(query, article, noun, department, CATEGORY_SEPARATOR.join(names), prices, groups, options)


TYPES: tuple[ProductType, ...] = (
    _type(
        "men's t-shirts", "a", "men's t-shirt", "fashion", "Men, Shirts, T-Shirts",
        (9, 45), (v.FABRIC, v.CARE, v.FIT, v.SHIRT_WITH), (v.COLOR, v.SIZE),
    ),
    _type(
        "women's blouses", "a", "women's blouse", "fashion", "Women, Tops, Blouses",
        (14, 70), (v.FABRIC, v.CARE, v.SLEEVE, v.BLOUSE_WITH), (v.COLOR, v.SIZE, v.STYLE),
    ),
    _type(
        "men's hoodies", "a", "men's hoodie", "fashion", "Men, Sweatshirts, Hoodies",
        (19, 80), (v.WARM_FABRIC, v.CARE, v.FIT, v.HOODIE_WITH), (v.COLOR, v.SIZE),
    ),
    _type(
        "women's leggings", "a pair of", "women's leggings", "fashion", "Women, Bottoms, Leggings",
        (12, 60), (v.LEGGING, v.CARE, v.LEGGING_WITH), (v.COLOR, v.SIZE),
    ),
    _type(
        "women's dresses", "a", "women's dress", "fashion", "Women, Dresses, Casual",
        (18, 120), (v.FABRIC, v.SLEEVE, v.DRESS_WITH, v.DRESSED_FOR), (v.COLOR, v.SIZE, v.STYLE),
    ),
    _type(
        "running shoes", "a pair of", "running shoes", "fashion", "Shoes, Athletic, Running",
        (29, 150), (v.SHOE, v.SHOE_WITH, v.SHOE_FOR), (v.COLOR, v.SHOE_SIZE),
    ),
    _type(
        "work boots", "a pair of", "work boots", "fashion", "Shoes, Boots, Work",
        (49, 220), (v.BOOT, v.BOOT_WITH, v.SHOE_FOR), (v.COLOR, v.SHOE_SIZE),
    ),
    _type(
        "backpacks", "a", "backpack", "fashion", "Luggage, Bags, Backpacks",
        (19, 130), (v.BAG, v.BAG_WITH, v.BAG_FOR), (v.COLOR, v.STYLE),
    ),
    _type(
        "shampoos", "a bottle of", "shampoo", "beauty", "Hair Care, Wash, Shampoos",
        (5, 40), (v.FREE, v.BEAUTY_WITH, v.HAIR_FOR), (v.SCENT, v.VOLUME, v.PACK),
    ),
    _type(
        "hair conditioners", "a bottle of", "hair conditioner", "beauty", "Hair Care, Rinses, Conditioners",
        (5, 40), (v.FREE, v.BEAUTY_WITH, v.HAIR_FOR), (v.SCENT, v.VOLUME),
    ),
    _type(
        "face moisturizers", "a jar of", "face moisturizer", "beauty", "Skin Care, Face, Moisturizers",
        (8, 90), (v.FREE, v.BEAUTY_WITH, v.SKIN_FOR, v.LASTING), (v.SCENT, v.VOLUME, v.PACK),
    ),
    _type(
        "lipsticks", "a", "lipstick", "beauty", "Makeup, Lips, Lipsticks",
        (4, 35), (v.FREE, v.BEAUTY_WITH, v.LIP), (v.SHADE, v.PACK),
    ),
    _type(
        "body lotions", "a bottle of", "body lotion", "beauty", "Skin Care, Body, Lotions",
        (6, 45), (v.FREE, v.BEAUTY_WITH, v.SKIN_FOR), (v.SCENT, v.VOLUME, v.PACK),
    ),
    _type(
        "ground coffee", "a bag of", "ground coffee", "grocery", "Beverages, Coffee, Ground",
        (7, 45), (v.GROWN, v.ROAST, v.PACKED), (v.COFFEE_FLAVOR, v.WEIGHT, v.PACK),
    ),
    _type(
        "herbal tea", "a box of", "herbal tea", "grocery", "Beverages, Tea, Herbal",
        (4, 30), (v.LEAF, v.TEA_FOR, v.PACKED), (v.TEA_FLAVOR, v.PACK),
    ),
    _type(
        "granola bars", "a box of", "granola bars", "grocery", "Snacks, Bars, Granola",
        (4, 35), (v.DIET, v.SNACK_WITH, v.SNACK_FOR), (v.FLAVOR, v.PACK),
    ),
    _type(
        "protein powder", "a tub of", "protein powder", "grocery", "Nutrition, Protein, Powders",
        (18, 80), (v.DIET, v.POWDER, v.POWDER_WITH), (v.FLAVOR, v.WEIGHT),
    ),
    _type(
        "popcorn", "a bag of", "popcorn", "grocery", "Snacks, Savory, Popcorn",
        (3, 25), (v.DIET, v.POPPED, v.SNACK_FOR), (v.POPCORN_FLAVOR, v.WEIGHT, v.PACK),
    ),
    _type(
        "wireless headphones", "a pair of", "wireless headphones", "electronics", "Audio, Headphones, Over Ear",
        (25, 300), (v.POWER, v.SOUND, v.WORN), (v.COLOR, v.STYLE),
    ),
    _type(
        "portable speakers", "a", "portable speaker", "electronics", "Audio, Speakers, Portable",
        (19, 200), (v.POWER, v.SOUND, v.PORTABLE), (v.COLOR,),
    ),
    _type(
        "phone cases", "a", "phone case", "electronics", "Phones, Accessories, Cases",
        (6, 40), (v.CASE, v.CASE_WITH, v.CASE_FOR), (v.COLOR, v.STYLE),
    ),
    _type(
        "charging cables", "a", "charging cable", "electronics", "Phones, Power, Cables",
        (4, 30), (v.CABLE, v.CABLE_WITH, v.CABLE_FOR), (v.COLOR, v.LENGTH, v.PACK),
    ),
    _type(
        "flash drives", "a", "flash drive", "electronics", "Computers, Storage, Flash Drives",
        (5, 60), (v.DRIVE, v.DRIVE_WITH, v.DRIVE_FOR), (v.COLOR, v.CAPACITY),
    ),
    _type(
        "computer keyboards", "a", "computer keyboard", "electronics", "Computers, Input, Keyboards",
        (15, 160), (v.KEYS, v.KEYS_WITH, v.DESK_FOR), (v.COLOR, v.STYLE),
    ),
    _type(
        "table lamps", "a", "table lamp", "home", "Lighting, Lamps, Table",
        (15, 140), (v.LAMP, v.LAMP_WITH, v.LAMP_BODY, v.ROOM), (v.COLOR, v.STYLE),
    ),
    _type(
        "bed sheets", "a set of", "bed sheets", "home", "Bedding, Sheets, Sets",
        (19, 150), (v.FABRIC, v.CARE, v.SHEET), (v.COLOR, v.BED_SIZE),
    ),
    _type(
        "throw blankets", "a", "throw blanket", "home", "Bedding, Blankets, Throws",
        (14, 90), (v.WARM_FABRIC, v.CARE, v.THROW, v.THROW_FOR), (v.COLOR, v.STYLE),
    ),
    _type(
        "area rugs", "a", "area rug", "home", "Decor, Rugs, Area",
        (25, 300), (v.RUG, v.RUG_FIBER, v.ROOM), (v.COLOR, v.RUG_SIZE, v.STYLE),
    ),
    _type(
        "scented candles", "a", "scented candle", "home", "Fragrance, Candles, Scented",
        (7, 50), (v.CANDLE, v.CANDLE_WITH, v.CANDLE_FOR), (v.SCENT, v.PACK),
    ),
    _type(
        "frying pans", "a", "frying pan", "home", "Kitchen, Cookware, Skillets",
        (15, 120), (v.PAN, v.PAN_BODY, v.PAN_WITH), (v.COLOR,),
    ),
    _type(
        "bar stools", "a", "bar stool", "home", "Furniture, Seating, Stools",
        (39, 260), (v.STOOL, v.STOOL_WITH, v.STOOL_FOR), (v.COLOR, v.STYLE),
    ),
    _type(
        "office chairs", "a", "office chair", "office", "Furniture, Chairs, Desk",
        (59, 350), (v.CHAIR, v.CHAIR_WITH, v.DESK_FOR), (v.COLOR,),
    ),
    _type(
        "notebooks", "a", "notebook", "office", "Paper, Notebooks, Journals",
        (3, 28), (v.PAPER, v.PAPER_WITH, v.WRITE_FOR), (v.COLOR, v.STYLE, v.PACK),
    ),
    _type(
        "gel pens", "a set of", "gel pens", "office", "Writing, Pens, Gel",
        (3, 30), (v.INK, v.INK_WITH, v.WRITE_FOR), (v.COLOR, v.PACK),
    ),
    _type(
        "dog beds", "a", "dog bed", "pets", "Dogs, Beds, Cushions",
        (19, 130), (v.DOG_BED, v.DOG_BED_WITH, v.DOG_FOR), (v.COLOR, v.SIZE),
    ),
    _type(
        "dog leashes", "a", "dog leash", "pets", "Dogs, Walking, Leads",
        (7, 40), (v.LEASH, v.LEASH_WITH, v.DOG_FOR), (v.COLOR, v.LENGTH),
    ),
    _type(
        "cat treats", "a bag of", "cat treats", "pets", "Cats, Food, Snacks",
        (3, 25), (v.CAT, v.CAT_WITH, v.CAT_FOR), (v.WEIGHT, v.PACK),
    ),
    _type(
        "yoga mats", "a", "yoga mat", "sports", "Fitness, Yoga, Mats",
        (12, 95), (v.MAT, v.MAT_WITH, v.MAT_FOR), (v.COLOR, v.STYLE),
    ),
    _type(
        "water bottles", "a", "water bottle", "sports", "Hydration, Bottles, Flasks",
        (9, 50), (v.BOTTLE, v.BOTTLE_BODY, v.BOTTLE_WITH), (v.COLOR, v.VOLUME),
    ),
    _type(
        "camping tents", "a", "camping tent", "sports", "Camping, Shelters, Tents",
        (49, 350), (v.TENT, v.TENT_WITH, v.TENT_FOR), (v.COLOR,),
    ),
    _type(
        "flower pots", "a", "flower pot", "garden", "Planting, Containers, Pots",
        (8, 70), (v.POT, v.POT_BODY, v.POT_WITH), (v.COLOR, v.STYLE, v.PACK),
    ),
    _type(
        "garden hoses", "a", "garden hose", "garden", "Watering, Supplies, Hoses",
        (15, 90), (v.HOSE, v.HOSE_WITH, v.HOSE_FOR), (v.COLOR, v.LENGTH),
    ),
    _type(
        "baby bibs", "a set of", "baby bibs", "baby", "Feeding, Bibs, Cloths",
        (6, 35), (v.BIB, v.BIB_WITH, v.CARE), (v.COLOR, v.STYLE, v.PACK),
    ),
    _type(
        "crib sheets", "a", "crib sheet", "baby", "Nursery, Bedding, Sheets",
        (9, 60), (v.CRIB, v.CRIB_WITH, v.CARE), (v.COLOR, v.STYLE),
    ),
)  # fmt: skip
