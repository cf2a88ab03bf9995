#!/bin/sh
# Relative paths start in the folder that is mounted at /opt/ml/code, where there is one.
if [ -d /opt/ml/code ]; then cd /opt/ml/code || exit 1; fi
exec python -m ordergap "$@"
