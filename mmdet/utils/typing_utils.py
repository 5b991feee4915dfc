"""Names of types, as mmdetection 3.x has them; what is written against it imports them."""

from mmengine.config import Config, ConfigDict

ConfigType = Config | ConfigDict
"""A config, or a part of one."""
