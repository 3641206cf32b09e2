
// All parts stand: the first scan may come.
watch("value", update);
watch("reading", update);
watch("values", receiveValues);
watch("frames", receiveFrames);
watch("layer", receiveLayer);
update();
