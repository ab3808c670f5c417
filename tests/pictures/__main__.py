"""Takes the pictures of the documentation. Arguments are names of pictures; without any, all are taken."""

import os
import sys
from importlib import import_module

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")
django.setup()  # before what reads the addresses of the pages
sys.exit(import_module("tests.pictures.take").main(sys.argv[1:]))
