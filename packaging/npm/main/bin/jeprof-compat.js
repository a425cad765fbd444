#!/usr/bin/env node
'use strict';

require('./malloscope.js').start(['jeprof']);
