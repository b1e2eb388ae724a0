"""Web shopping: `turnwise/WebShop-v0`."""

from turnwise.envs.webshop.env import WebShopEnv

__all__ = ["WebShopEnv"]
