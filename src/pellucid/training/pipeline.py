"""From a config to a finished model: text, tokenizers, ids, training, averaging, export."""

import os
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch

from pellucid.config.run import RunConfig
from pellucid.data.read import languages, read_pairs
from pellucid.data.split import hold_out
from pellucid.data.store import PairStore, build_store, content_key
from pellucid.devices import pick_device
from pellucid.errors import ConfigError, DataError
from pellucid.families.directory import save_model
from pellucid.locks import RunLock
from pellucid.nn.weights import load_weights
from pellucid.tasks.translation import Translation
from pellucid.text.pair import Tokenizers
from pellucid.text.train import train_tokenizers
from pellucid.training import checkpoints
from pellucid.training.distribution import World, world
from pellucid.training.reporter import Quiet, Reporter
from pellucid.training.run_directory import RunDirectory
from pellucid.training.trainer import Outcome, Trainer
