#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
echo "skipped: $1"
exit 77
