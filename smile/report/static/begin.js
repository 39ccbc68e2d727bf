// The last of the scripts: everything is there, so that the first value can be drawn.

draw();
